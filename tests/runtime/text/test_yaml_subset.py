"""The YAML subset: prompt files and rows of cases are read by the same rules, on any parser."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from pytest_mipro.runtime.text import yaml_subset
from pytest_mipro.runtime.text.yaml_subset import YAMLTextError, load, load_rows

ALIKE = {
    "{a: 007, b: 1e3, c: -2, d: no, e: 2024-01-31, f: , g: ~, h: true}": {
        "a": "007",
        "b": 1000.0,
        "c": -2,
        "d": "no",
        "e": "2024-01-31",
        "f": None,
        "g": None,
        "h": True,
    },
    "{a: '1', b: !!str 2, <<: {x: y}}": {
        "a": "1",
        "b": "2",
        "<<": {"x": "y"},
    },
    "{a: &x [1], b: &x [2]}": {"a": [1], "b": [2]},
}
REFUSED = {
    "{a: &x 1, b: *x}": "an alias",
    "{a: 1, a: 2}": "the key 'a' appears twice",
    "{a: 1e999}": "'1e999' is not a finite number; use null",
    "{? [a] : b}": "the key of a sequence is not text",
    "{a: !!str [x]}": "expected a scalar node",
    "{a: " + "9" * 5000 + "}": "can't be read as int",
    "{a: x\x07}": "the character U+0007 is not allowed",
    "{a: [}": "",
}


@pytest.fixture(params=["libyaml", "PyYAML"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "libyaml" and not yaml.__with_libyaml__:
        pytest.skip("this PyYAML has no libyaml")
    if request.param == "PyYAML":

        class Rows(yaml_subset._Loader):
            unquoted_keys = True
            tags = yaml_subset._RowLoader.tags
            max_depth = yaml_subset._RowLoader.max_depth
            yaml_implicit_resolvers = yaml_subset._RowLoader.yaml_implicit_resolvers

        monkeypatch.setattr(yaml_subset, "_RowLoader", Rows)


@pytest.mark.parametrize(("text", "value"), ALIKE.items(), ids=range(len(ALIKE)))
def test_a_value_reads_alike_in_prompts_and_rows(text: str, value: Any, parser: None) -> None:
    assert load(text)[0] == value
    assert load_rows(f"\n- {text}\n") == [(2, value)]


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=range(len(REFUSED)))
def test_prompts_and_rows_refuse_alike(text: str, reason: str, parser: None) -> None:
    for read, whole in ((load, f"\n{text}"), (load_rows, f"\n- {text}")):
        with pytest.raises(YAMLTextError) as caught:
            read(whole)
        assert caught.value.line == 2
        assert reason in str(caught.value)


def test_keys_of_rows_need_no_quotes_and_those_of_prompts_do(parser: None) -> None:
    assert load_rows("- {1: a, true: b}") == [(1, {"1": "a", "true": "b"})]
    with pytest.raises(YAMLTextError, match="the key 1 is not text; quote it"):
        load("{1: a}")


def test_a_number_that_is_none_is_a_text_in_prompts_and_refused_in_rows(parser: None) -> None:
    assert load("{a: .inf}")[0] == {"a": ".inf"}
    with pytest.raises(YAMLTextError, match=r"'\.inf' is not a finite number; use null"):
        load_rows("- {a: .inf}")


TAGGED = ("!!bool yes", "!!int 0x10", '!!int ""', "!!null x", "!!timestamp 2024-01-31", "!x 1")


def test_a_tag_in_a_row_makes_a_text_or_is_refused(parser: None) -> None:
    texts = "- {a: ! 5, b: !!str 5, c: !!map text}"
    assert load_rows(texts) == [(1, {"a": "5", "b": "5", "c": "text"})]
    for tagged in TAGGED:
        with pytest.raises(YAMLTextError, match=r"the tag '.*' is not allowed here; drop it"):
            load_rows(f"- {{a: {tagged}}}")


@pytest.mark.parametrize("text", ['!!int ""', '!!float ""', "!!map x", "!!timestamp 2024-01-31"])
def test_a_tag_in_a_prompt_that_does_not_fit_is_one_line(text: str) -> None:
    with pytest.raises(YAMLTextError):
        load(f"a: {text}")


@pytest.mark.parametrize("text", ["- [", "- - ", "- {a: "])
def test_rows_have_a_depth(text: str, parser: None) -> None:
    with pytest.raises(YAMLTextError, match="nested deeper than 100 levels"):
        load_rows(text[:2] + text[2:] * 50_000)
    nested = "- " + "[" * 99 + "1" + "]" * 99
    assert len(load_rows(nested)) == 1


def test_no_rows(parser: None) -> None:
    assert load_rows("# nothing\n") == load_rows("[]") == []


@pytest.mark.parametrize("text", ["- a: [\n", "- \ta: 1\n", "- a: b: c\n"])
def test_what_is_no_yaml_is_told_what_to_look_at(text: str, parser: None) -> None:
    with pytest.raises(YAMLTextError, match="; check the quotes, colons and indentation there"):
        load_rows(text)


@pytest.mark.parametrize("read", [load, load_rows])
def test_an_open_quote_is_refused_where_it_begins(read: Any, parser: None) -> None:
    with pytest.raises(
        YAMLTextError, match="a quote that is opened here is never closed"
    ) as caught:
        read('- id: 1\n- text: "open\n- id: 3\n- id: 4\n')
    assert caught.value.line == 2

"""The mark `mipro`: its arguments, how marks of function, class and module combine, its errors."""

from __future__ import annotations

from dataclasses import fields

import pytest

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.collecting import marks
from pytest_mipro.plugin.collecting.marks import MetricMark, metric_mark

pytest_plugins = "pytester"


def collected(pytester: pytest.Pytester, source: str) -> pytest.Item:
    # The mark is added after collection, so that collection does not refuse it first.
    return pytester.getitem(f"import pytest\n{source}", "test_it")


def with_mark(pytester: pytest.Pytester, *args: object, **kwargs: object) -> pytest.Item:
    item = collected(pytester, "def test_it(): pass")
    item.add_marker(pytest.mark.mipro(*args, **kwargs))
    return item


def test_a_test_without_the_mark_is_none(pytester):
    assert metric_mark(collected(pytester, "def test_it(): pass")) is None


def test_a_bare_mark_has_the_defaults(pytester):
    assert metric_mark(with_mark(pytester)) == MetricMark()


def test_every_argument_arrives(pytester):
    given = {
        "threshold": 1,
        "pass_score": 0.5,
        "repeats": 3,
        "max_regression": 0.02,
        "confidence": 0.9,
        "group": "product",
        "study": "desk",
        "labels": {"choose_queue": "queue"},
        "rerun_safe": ["db", "api"],
        "concurrent": False,
        "models": ["test/b", "test/a"],
    }
    assert set(given) == {item.name for item in fields(MetricMark)}
    mark = metric_mark(with_mark(pytester, **given))
    assert mark == MetricMark(
        **(given | {"threshold": 1.0, "rerun_safe": ("api", "db"), "models": ("test/b", "test/a")})
    )


def test_every_argument_is_checked():
    assert list(marks._CHECKS) == [item.name for item in fields(MetricMark)]


def test_the_closest_mark_wins_per_argument(pytester):
    item = collected(
        pytester,
        """
pytestmark = pytest.mark.mipro(threshold=0.5, study="outer", repeats=2, confidence=0.9)

@pytest.mark.mipro(threshold=0.6, repeats=3)
class TestIt:
    @pytest.mark.mipro(threshold=0.7, confidence=None)
    def test_it(self): pass
""",
    )
    assert metric_mark(item) == MetricMark(threshold=0.7, repeats=3, study="outer")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"treshold": 0.8}, "unknown argument 'treshold'; did you mean 'threshold'?"),
        ({"zzz": 1}, "unknown argument 'zzz'; known: threshold, pass_score"),
        ({"threshold": 80}, "threshold must be a number in 0…1, got 80; write 0.8"),
        ({"threshold": -0.1}, "threshold must be a number in 0…1, got -0.1"),
        ({"threshold": True}, "threshold must be a number in 0…1, got True"),
        ({"threshold": "0.8"}, "threshold must be a number in 0…1, got '0.8'"),
        ({"threshold": float("nan")}, "threshold must be a number in 0…1, got nan"),
        ({"pass_score": None}, "pass_score must be a number in 0…1, got None"),
        ({"max_regression": 2}, "max_regression must be a number in 0…1, got 2"),
        ({"confidence": 1}, "confidence must be a number from 0.5 to below 1, as 0.95, got 1"),
        ({"confidence": 0.05}, "from 0.5 to below 1, as 0.95, got 0.05; write 0.95"),
        ({"repeats": 0}, "repeats must be a whole number of at least 1, got 0"),
        ({"repeats": 2.0}, "repeats must be a whole number of at least 1, got 2.0"),
        ({"repeats": True}, "repeats must be a whole number of at least 1, got True"),
        ({"group": 3}, "group must be a name, got 3"),
        ({"study": "../up"}, "study names a file: letters, digits"),
        ({"study": ""}, "study names a file: letters, digits"),
        ({"labels": ["queue"]}, "labels maps module outputs to case columns"),
        ({"labels": {"m": 1}}, "labels maps module outputs to case columns"),
        ({"rerun_safe": "db"}, "got 'db'; write rerun_safe=['db']"),
        ({"concurrent": 0}, "concurrent must be True or False, got 0"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_the_test(pytester, arguments, text):
    item = with_mark(pytester, **arguments)
    with pytest.raises(ConfigurationError) as caught:
        metric_mark(item)
    assert str(caught.value).startswith(f"{item.nodeid}: @pytest.mark.mipro: ")
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_positional_arguments_are_refused(pytester):
    with pytest.raises(ConfigurationError, match=r"by name only, got 0\.8; write threshold=0\.8"):
        metric_mark(with_mark(pytester, 0.8))


def test_a_wrong_outer_mark_is_refused_though_overridden(pytester):
    item = collected(pytester, "class TestIt:\n    pytestmark = []\n    def test_it(self): pass")
    item.parent.add_marker(pytest.mark.mipro(threshold=8))
    item.add_marker(pytest.mark.mipro(threshold=0.8))
    with pytest.raises(ConfigurationError, match="got 8"):
        metric_mark(item)


def test_a_wrong_mark_ends_collection_with_its_text_alone(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.mipro(treshold=0.8)
        def test_queue(): pass
        """
    )
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["*::test_queue: @pytest.mark.mipro: unknown argument 'treshold'; did you mean*"]
    )
    result.stdout.no_fnmatch_line("*Error:*")
    result.stdout.no_fnmatch_line("*Traceback*")


def test_strict_markers_know_both_marks(pytester):
    pytester.makefile(".jsonl", tickets='{"id": "a", "ticket": "x"}')
    pytester.makepyfile(
        """
        import pytest
        from pytest_mipro import cases

        @pytest.mark.mipro
        @cases("tickets.jsonl")
        def test_queue(ticket): pass
        """
    )
    result = pytester.runpytest("--strict-markers", "--collect-only", "-q")
    assert result.ret == 0


def test_the_help_names_both_marks_and_every_argument(pytester):
    text = pytester.runpytest("--markers").stdout.str()
    assert "@pytest.mark.mipro_cases(path)" in text
    signature = text.partition("@pytest.mark.mipro(")[2].partition(")")[0]
    named = {argument.partition("=")[0].strip() for argument in signature.split(",")}
    assert named == {item.name for item in fields(MetricMark)}

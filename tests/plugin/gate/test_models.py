"""`@pytest.mark.mipro(models=[…])`: one test gated with several models in one run."""

from __future__ import annotations

import json

import pytest
from gate_project import LOCK
from models_project import TESTS, project
from printed import flat


def test_each_model_has_its_own_score_and_verdict_side_by_side(pytester):
    project(pytester)
    result = pytester.runpytest_inprocess("--mipro-json=r.json", "--mipro-markdown=r.md")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        [
            "test_say@test/large  1.000 *6 cases",
            "    passed: threshold 0.60 reached",
            "test_say@test/small  0.500 *6 cases  3 missed",
            "    FAILED: *",
            "the models of test_say, on the same cases:",
            "  model       mean   against the first             cost  verdict",
            "  test/small  0.500  * FAILED",
            "  test/large  1.000  +0.500 (* passed",
        ]
    )
    assert "FAILED test_words.py::test_say@test/small - " in result.stdout.str()
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    large, small = study["tests"]
    assert (large["model"], large["status"]) == ("test/large", "passed")
    assert (small["model"], small["status"]) == ("test/small", "failed")
    assert large["against_first"]["mean"] == pytest.approx(0.5)
    assert large["against_first"]["rows"] == 6
    assert small["against_first"] is None
    assert {(each["module"], each["model"]) for each in study["modules"]} == {
        ("pipeline.say", "test/large"),
        ("pipeline.say", "test/small"),
    }
    markdown = (pytester.path / "r.md").read_text()
    assert "The models of <code>test&#95;say</code>, on the same cases:" in markdown
    assert "| <code>test/small</code> | 0.500 (" in markdown
    assert "| FAILED |" in markdown


def test_each_model_has_its_own_rows_in_the_lock(pytester):
    project(pytester, TESTS.replace("threshold=0.6", "max_regression=0.1"))
    assert pytester.runpytest_inprocess("--mipro-update-lock").ret == 0
    lock = json.loads((pytester.path / LOCK).read_text())
    assert [module["model"] for module in lock["modules"]] == ["test/large", "test/small"]
    cases = {case["id"]: case for case in lock["cases"]}
    assert len(cases) == 12
    scores = {name: cases[f"test_say@test/{name}[six]"]["score"] for name in ("large", "small")}
    assert scores == {"large": 1.0, "small": 0.0}
    rows = {case["row"] for case in lock["cases"]}
    assert len(rows) == 6  # one row, whatever the model
    again = pytester.runpytest_inprocess()
    assert again.ret == 0
    assert "differs from" not in flat(again)
    assert flat(again).count("against the lock: no case changed") == 2


def test_part_of_the_models_is_no_drift_and_is_judged(pytester):
    project(pytester)
    assert pytester.runpytest_inprocess("--mipro-update-lock").ret == 1
    result = pytester.runpytest_inprocess("-k", "large")
    assert result.ret == 0
    assert "test_say@test/large 1.000 (0.61 to 1.00) 6 cases passed: threshold" in flat(result)
    assert "the models of" not in flat(result)  # there is one
    assert "differs from" not in flat(result)
    refused = pytester.runpytest_inprocess("-k", "large", "--mipro-update-lock")
    assert refused.ret == 4
    assert "only part of test_words.py is selected" in flat_errors(refused)


def test_means_of_other_cases_are_not_said_to_be_of_the_same(pytester):
    project(pytester)
    left_out = "--deselect=test_words.py::test_say[test/large-six]"
    result = pytester.runpytest_inprocess(left_out, "--mipro-markdown=r.md")
    assert "the models of test_say, differences on the cases that both scored:" in flat(result)
    assert "differences on the cases that both scored:" in (pytester.path / "r.md").read_text()
    assert "on the same cases" not in flat(result)


def flat_errors(result):
    return " ".join((result.stdout.str() + result.stderr.str()).split())


def test_one_case_of_one_model_is_an_ordinary_test(pytester):
    project(pytester)
    result = pytester.runpytest_inprocess("test_words.py::test_say[test/small-six]")
    result.assert_outcomes(failed=1)
    assert "1 of 6 cases: no verdict" in flat(result)


def test_models_together_with_parametrize_and_classes(pytester):
    project(
        pytester,
        """
import pytest
from pipeline import say

@pytest.mark.mipro(models=["test/large"])
class TestMany:
    @pytest.mark.mipro(threshold=0.1)
    @pytest.mark.parametrize("word", ["a", "b"])
    @pytest.mark.parametrize("more", [1, 2])
    def test_it(self, word, more):
        assert say(text=f"{word}{more}") == f"{word}{more}".upper()

    @pytest.mark.mipro(threshold=0.1, models=None)
    def test_without(self):
        assert say(text="a").upper() == "A"
""",
    )
    result = pytester.runpytest_inprocess("--mipro-json=r.json")
    assert result.ret == 0
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    one, without = study["tests"]
    assert one["name"] == "TestMany::test_it@test/large"
    ids = {case["id"].removeprefix(one["name"]) for case in one["cases"]}
    assert ids == {"[1-a]", "[1-b]", "[2-a]", "[2-b]"}
    assert "model" not in without
    assert "against_first" not in without


def test_models_are_compared_where_a_fixture_has_parameters_too(pytester):
    project(
        pytester,
        """
import pytest
from pipeline import say

@pytest.fixture(params=["a", "z"])
def word(request):
    return request.param

@pytest.mark.mipro(threshold=0.1, models=["test/small", "test/large"])
@pytest.mark.parametrize("more", [1, 2])
def test_it(word, more):
    assert say(text=f"{word}{more}") == f"{word}{more}".upper()
""",
    )
    assert pytester.runpytest_inprocess("--mipro-json=r.json").ret == 0
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    large, small = study["tests"]
    assert (large["against_first"]["mean"], large["against_first"]["rows"]) == (0.5, 4)
    for test in (large, small):
        ids = {case["id"].removeprefix(test["name"]) for case in test["cases"]}
        assert ids == {"[a-1]", "[a-2]", "[z-1]", "[z-2]"}


@pytest.mark.parametrize(
    ("models", "problem"),
    [
        ("'openai/a'", "got 'openai/a'; write models=['openai/a']"),
        ("[]", "got []"),
        ("['a', 'a']", "got ['a', 'a']"),
        ("['a', 3]", "got ['a', 3]"),
    ],
)
def test_models_that_can_t_be_used_are_one_line_at_collection(pytester, models, problem):
    project(pytester, TESTS.replace('["test/small", "test/large"]', models))
    result = pytester.runpytest_inprocess()
    assert result.ret == 2
    text = flat(result)
    assert "test_words.py::test_say: @pytest.mark.mipro: models must be a list of different" in text
    assert problem in text


def test_models_of_a_single_case_come_too_late(pytester):
    project(
        pytester,
        """
import pytest
from pipeline import say

LATE = pytest.mark.mipro(models=["test/large"])

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("word", [pytest.param("a", marks=LATE)])
def test_it(word):
    assert say(text=word)
""",
    )
    result = pytester.runpytest_inprocess()
    assert result.ret == 2
    assert "models=['test/large'] came when the cases were made already; put it on the" in (
        flat(result)
    )


def test_workers_bring_the_models_together(pytester):
    project(pytester)
    result = pytester.runpytest("-n2")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["the models of test_say, on the same cases:", "*", "  test/small *", "  test/large *"]
    )

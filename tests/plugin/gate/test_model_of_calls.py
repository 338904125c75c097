"""Which calls run with a model of the mark, and what is told where none does."""

from __future__ import annotations

import json

import pytest
from models_project import TESTS, project
from printed import flat

from pytest_mipro.runtime.settings import current_settings, replace_settings


@pytest.fixture(autouse=True)
def settings():
    """What a test configures must not reach other tests of this process."""
    before = current_settings()
    yield
    replace_settings(before)


def test_the_mark_beats_configure_and_the_option_and_no_module_of_its_own_model(pytester):
    project(
        pytester,
        """
import pytest
import pytest_mipro
from pipeline import say

pytest_mipro.configure(model="test/other")

@pytest.mark.mipro(models=["test/small", "test/large"])
def test_two(record_property):
    assert say(text="a") == "A"
    assert say.using(model="test/none")(text="a") == "a"
""",
    )
    result = pytester.runpytest_inprocess("--mipro-model=test/third", "--mipro-json=r.json")
    result.assert_outcomes(passed=2)
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    calls = {each["model"]: each["calls"] for each in study["modules"]}
    assert calls == {"test/large": 1, "test/small": 1, "test/none": 2}


def test_a_test_may_take_the_model_for_a_client_of_its_own(pytester):
    project(
        pytester,
        """
import pytest
from pytest_mipro import cases
from pipeline import say

@pytest.fixture
def model(mipro_model):
    return mipro_model

@pytest.mark.mipro(threshold=0.1, models=["test/small", "test/large"])
@cases("words.jsonl")
def test_taken(text, mipro_model, model):
    assert model == mipro_model
    assert say.using(model=mipro_model)(text=text)
""",
    )
    result = pytester.runpytest_inprocess("--mipro-json=r.json")
    assert result.ret == 0
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    assert {each["model"]: each["calls"] for each in study["modules"]} == {
        "test/large": 6,
        "test/small": 6,
    }


def test_a_fixture_for_one_case_runs_with_the_case_s_model(pytester):
    project(
        pytester,
        """
import pytest
from pytest_mipro import cases
from pipeline import say

@pytest.fixture(scope="module")
def first():
    return say(text="first")

@pytest.fixture
def said(text, first):
    return say(text=text)

@pytest.mark.mipro(threshold=0.6, models=["test/small", "test/large"])
@cases("words.jsonl")
def test_said(text, said):
    assert said == text.upper()
""",
    )
    result = pytester.runpytest_inprocess("--mipro-json=r.json", "--mipro-model=test/large")
    (study,) = json.loads((pytester.path / "r.json").read_text())["studies"]
    assert {each["model"]: each["calls"] for each in study["modules"]} == {
        "test/large": 7,
        "test/small": 6,
    }
    assert [test["all"]["mean"] for test in study["tests"]] == [1.0, 0.5]
    assert result.ret == 1


def test_a_model_that_nothing_asked_gets_no_verdict(pytester):
    project(pytester, TESTS.replace("say(text=text)", 'say.using(model="test/large")(text=text)'))
    result = pytester.runpytest_inprocess()
    assert result.ret == 1
    assert "INCOMPLETE: no call went to test/small: `models=` is for modules that name" in flat(
        result
    )


def test_a_test_that_takes_the_model_is_trusted_with_it_and_told(pytester):
    taken = TESTS.replace("say(text=text)", 'say.using(model="test/large")(text=text)')
    project(pytester, taken.replace("def test_say(text)", "def test_say(text, mipro_model)"))
    result = pytester.runpytest_inprocess()
    assert result.ret == 0
    assert flat(result).count("no call went to test/small: `models=` is for modules") == 1

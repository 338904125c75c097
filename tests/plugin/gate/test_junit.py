"""JUnit XML: what each case scored and took, and the verdict as a test case of its own."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from gate_project import TESTS, write_gate
from numbers_desk import NUMBERS

GRADED = TESTS.replace("assert say(text=text) == text.upper()", "").replace(
    "def test_say(text):\n",
    "def test_say(text):\n    said = say(text=text)\n"
    "    return Score(0.5 + 0.5 * said.isupper(), length=len(said))\n",
)


def properties(pytester):
    """Return the properties of each test case in out.xml by its name."""
    root = ET.parse(pytester.path / "out.xml").getroot()
    return {
        str(case.get("name")): {
            str(entry.get("name")): str(entry.get("value")) for entry in case.iter("property")
        }
        for case in root.iter("testcase")
    }


def test_a_case_has_score_metrics_calls_tokens_and_cost(pytester):
    write_gate(pytester, GRADED)
    pytester.runpytest("--junitxml=out.xml")
    found = properties(pytester)
    one = found["test_say[one]"]
    assert (one["mipro_score"], one["mipro_metric_length"]) == ("1.0", "3.0")
    assert (one["mipro_calls"], one["mipro_cost"]) == ("1", "0.0")
    assert int(one["mipro_tokens"]) > 0
    assert found["test_say[three]"]["mipro_score"] == "0.5"


def test_the_verdict_has_its_figures(pytester):
    write_gate(pytester, GRADED.replace("threshold=0.1", "threshold=0.9, confidence=0.8"))
    pytester.runpytest("--mipro-update-lock")
    pytester.runpytest("--junitxml=out.xml")
    verdict = properties(pytester)["test_say"]
    assert verdict["mipro_status"] == "failed"
    assert float(verdict["mipro_mean"]) == pytest.approx(3.5 / 6)
    assert float(verdict["mipro_low"]) < 3.5 / 6 < float(verdict["mipro_high"])
    assert (verdict["mipro_threshold"], verdict["mipro_confidence"]) == ("0.9", "0.8")
    assert (verdict["mipro_lift"], verdict["mipro_cases"]) == ("0.0", "6")
    assert "mipro_max_regression" not in verdict


def test_the_users_own_properties_stay(pytester):
    tests = TESTS.replace("(text):\n", "(text, record_property):\n    record_property('a', 1)\n")
    write_gate(pytester, tests)
    pytester.runpytest("--junitxml=out.xml", "-o", "junit_family=xunit1")
    one = properties(pytester)["test_say[one]"]
    assert one["a"] == "1"
    assert one["mipro_score"] == "1.0"


def test_a_case_that_runs_again_has_the_properties_of_its_last_run(pytester):
    pytest.importorskip("pytest_rerunfailures")
    tests = TESTS.replace(
        "(text):\n", "(text):\n    TRIES.append(text)\n    if TRIES.count(text) < 2: 1 / 0\n"
    )
    write_gate(pytester, tests.replace("import pytest", "import pytest\nTRIES = []"))
    pytester.runpytest("-p", "pytest_rerunfailures", "--junitxml=out.xml", "--reruns=2")
    root = ET.parse(pytester.path / "out.xml").getroot()
    names = [entry.get("name") for entry in root.iter("property")]
    assert names.count("mipro_score") <= 6


def test_a_case_without_a_score_has_none(pytester):
    write_gate(pytester, words=("one", "down"))
    pytester.runpytest("--junitxml=out.xml")
    assert "mipro_score" not in properties(pytester)["test_say[down]"]


def test_the_verdict_is_a_test_case_of_junit_xml(pytester, desk):
    desk(NUMBERS.format(threshold=0.8))
    pytester.runpytest("--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert set(cases) == {
        "test_echo",
        *(f"test_echo[{w}]" for w in ("one", "two", "three", "four")),
    }
    failure = cases["test_echo"].find("failure")
    assert failure is not None
    assert failure.get("message") == "mean 0.75 is below the threshold 0.80 by 0.05"
    assert cases["test_echo[one]"].find("failure") is None


def test_a_passing_verdict_stands_in_junit_xml_too(pytester, desk):
    desk(NUMBERS.format(threshold=0.5))
    pytester.runpytest("--junitxml=out.xml")
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    assert suite.get("failures") == "0"
    assert "test_echo" in [case.get("name") for case in suite.iter("testcase")]


def test_a_test_of_one_case_has_a_verdict_of_its_own_name(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
def test_one(): assert echo(text="a") == "b"
""")
    result = pytester.runpytest("--junitxml=out.xml")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["FAILED test_desk.py::test_one?verdict? - mean 0.00 *"])
    suite = ET.parse(pytester.path / "out.xml").getroot()[0]
    assert [c.get("name") for c in suite.iter("testcase")] == ["test_one", "test_one[verdict]"]

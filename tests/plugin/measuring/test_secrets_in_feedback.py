"""No credential in what a case says of its failure: it goes to the proposer and into the cache."""

import pytest
from optimize_project import TESTS, optimize, write_project

from pytest_mipro import Score
from pytest_mipro.errors import EndpointError
from pytest_mipro.plugin.measuring.feedback import MAX_CHARS, canonical, canonical_repr
from pytest_mipro.plugin.measuring.measure import measure

KEY = "canary-of-the-search-service"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_API_KEY", KEY)
    monkeypatch.setenv("MODEL_API_KEY", "test")


def raising(error: BaseException):
    raise error


@pytest.mark.parametrize(
    "call",
    [
        lambda: raising(ValueError(f"refused {KEY}")),
        lambda: raising(AssertionError(f"refused {KEY}")),
        lambda: raising(AssertionError(f"no\nassert 1 == 2\n  +  where 1 = {'x' * 80}({KEY})")),
        lambda: raising(EndpointError(f"refused {KEY}")),
        lambda: raising(ExceptionGroup("two", [ValueError(KEY)])) and raising(ValueError(KEY)),
        lambda: pytest.fail(f"refused {KEY}"),
        lambda: pytest.skip(f"refused {KEY}"),
        lambda: Score(0.5, f"refused {KEY}"),
        lambda: f"refused {KEY}",
    ],
    ids=["error", "assert", "where", "world", "group", "fail", "skip", "score", "value"],
)
def test_no_outcome_holds_a_key(call):
    outcome = measure(call)
    texts = (outcome.feedback, outcome.failure, outcome.error, outcome.skipped)
    assert not [text for text in texts if "canary" in text]
    assert any(texts)


def test_a_key_is_hidden_before_the_text_is_cut():
    for length in range(MAX_CHARS * 2 // 3 - 60, MAX_CHARS * 2 // 3):
        assert "canary" not in canonical(f"{'x' * length}{KEY}{'y' * MAX_CHARS}")
    assert "canary" not in canonical_repr(["x" * 370, KEY, "y" * 600])


def test_a_placeholder_for_a_key_hides_no_word():
    assert canonical("the test of a basic functionality") == "the test of a basic functionality"


def test_a_key_that_is_loaded_later_is_hidden_too(monkeypatch: pytest.MonkeyPatch):
    assert canonical("of late-value-0f-7") == "of late-value-0f-7"
    monkeypatch.setenv("LATE_TOKEN", "late-value-0f-7")
    assert canonical("of late-value-0f-7") == "of [hidden]"


def test_no_key_reaches_the_proposer_or_the_cache(pytester):
    raises = 'raise ValueError("refused key " + __import__("os").environ["SEARCH_API_KEY"])'
    wrong = TESTS.replace("assert parity", "right = parity").replace(
        ' ("odd" if', f' ("odd" if number % 2 else "even")\n    if not right: {raises}\n    #'
    )
    write_project(pytester, wrong)
    noted = """
def reply(request, reply=reply):
    with open("asked.txt", "a") as file: file.write(repr(request.messages))
    return reply(request)
"""
    conftest = pytester.path / "conftest.py"
    text = conftest.read_text()
    conftest.write_text(text.replace("class Client", f"{noted}\nclass Client", 1))
    optimize(pytester, "--mipro-json=out.json")
    files = [path for path in pytester.path.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    assert "refused key [hidden]" in (pytester.path / "asked.txt").read_text()

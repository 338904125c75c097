"""The client that a hook gives answers the whole run: what would hide that is refused."""

from __future__ import annotations

import pytest
from gate_project import CONFTEST, INI, PIPELINE, TESTS

CLIENT = CONFTEST.replace("return ScriptedClient(reply)", "return {given}ScriptedClient(reply)")
WORD = '{"id": "one", "text": "one"}\n'


def project(pytester: pytest.Pytester, *folders: str) -> None:
    """Write a marked test into each folder; `one` passes under the client of `CLIENT`."""
    pytester.makefile(".ini", tox=INI)
    pytester.makepyfile(pipeline=PIPELINE)
    for name in folders:
        folder = pytester.mkdir(name)
        (folder / f"test_{name}.py").write_text(TESTS)
        (folder / "words.jsonl").write_text(WORD)


def client_in(pytester: pytest.Pytester, place: str, given: str = "") -> None:
    (pytester.path / place).write_text(CLIENT.replace("{given}", given))


def test_a_client_of_a_folder_is_refused_where_marked_tests_are_elsewhere(pytester):
    project(pytester, "gate", "unit")
    client_in(pytester, "unit/conftest.py")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    line = (
        "unit/conftest.py: pytest_mipro_client answers the whole run, and so "
        "gate/test_gate.py::test_say, which is not in its folder; move it up, *"
    )
    result.stdout.fnmatch_lines([line])
    result.stdout.fnmatch_lines(["test_say  1 case  1 error  INCOMPLETE: 1 case had an error"])


def test_a_client_of_the_folder_that_has_all_marked_tests_is_taken(pytester):
    project(pytester, "gate", "unit")
    client_in(pytester, "gate/conftest.py")
    (pytester.path / "unit/test_unit.py").write_text("def test_unmarked(): pass")
    pytester.runpytest().assert_outcomes(passed=3)
    (pytester.path / "unit/test_unit.py").write_text(TESTS)
    pytester.runpytest("gate").assert_outcomes(passed=2)


def test_a_client_of_the_root_is_taken_for_tests_from_elsewhere(pytester, tmp_path_factory):
    project(pytester, "gate")
    client_in(pytester, "conftest.py")
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "test_elsewhere.py").write_text(TESTS)
    (folder / "words.jsonl").write_text(WORD)
    root = f"--rootdir={pytester.path}"
    result = pytester.runpytest(root, "-c", "tox.ini", "gate", str(folder))
    result.assert_outcomes(passed=4)


def test_the_client_nearer_to_the_tests_is_taken_where_all_are_in_its_folder(pytester):
    project(pytester, "gate", "unit")
    client_in(pytester, "conftest.py", "print('above') or ")
    client_in(pytester, "gate/conftest.py", "print('here') or ")
    result = pytester.runpytest("-s", "gate")
    result.assert_outcomes(passed=2)
    assert "here" in result.stdout.str()
    assert "above" not in result.stdout.str()  # it may need what is not there
    for others in ((), ("-n2",)):
        result = pytester.runpytest(*others)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["gate/conftest.py: pytest_mipro_client answers the whole *"])


def test_a_project_overrides_an_installed_plugin(pytester, monkeypatch):
    project(pytester, "gate")
    client_in(pytester, "conftest.py")
    (pytester.path / "company.py").write_text("def pytest_mipro_client(config): raise KeyError")
    monkeypatch.syspath_prepend(pytester.path)
    pytester.runpytest("-p", "company").assert_outcomes(passed=2)


def test_who_returns_none_leaves_the_choice_to_others(pytester):
    project(pytester, "gate", "unit")
    client_in(pytester, "conftest.py")
    client_in(pytester, "unit/conftest.py", "None and ")
    pytester.runpytest().assert_outcomes(passed=4)


def test_a_hook_is_asked_once(pytester):
    project(pytester, "gate", "unit")
    client_in(pytester, "gate/conftest.py", "open('asked.txt', 'a').write('x') and ")
    (pytester.path / "gate/words.jsonl").write_text(WORD + WORD.replace("one", "two"))
    for folders in (("gate",), ("gate", "unit")):
        pytester.runpytest(*folders)
        assert (pytester.path / "asked.txt").read_text() == "x"
        (pytester.path / "asked.txt").unlink()


def test_a_hook_wrapper_still_wraps(pytester):
    project(pytester, "gate")
    client_in(pytester, "conftest.py")
    (pytester.path / "gate/conftest.py").write_text(
        "import pytest\n@pytest.hookimpl(wrapper=True)\ndef pytest_mipro_client(config):\n"
        "    client = yield\n    open('wrapped.txt', 'w').close()\n    return client\n"
    )
    pytester.runpytest().assert_outcomes(passed=2)
    assert (pytester.path / "wrapped.txt").exists()

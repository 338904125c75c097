"""The name by which the test of `init` imports the function, or one line that there is none."""

from __future__ import annotations

import pytest
from cli_project import PIPELINE, Run, write

from pytest_mipro.cli.repo.import_names import import_name


@pytest.mark.parametrize(
    ("source", "roots", "name"),
    [
        ("desk/pipeline.py", ["."], "desk.pipeline"),
        ("src/desk/pipeline.py", ["src", "."], "desk.pipeline"),
        ("src/desk/__init__.py", ["./src"], "desk"),
        ("src/__init__.py", ["src", "."], "src"),  # `src` itself is the package
        ("lib/src/desk.py", ["lib", "lib/src"], "desk"),
        ("__init__.py", ["."], "__init__"),
    ],
)
def test_a_source_below_the_roots(source: str, roots: list[str], name: str) -> None:
    assert import_name(source, roots) == name


@pytest.mark.parametrize("folder", ["the app/in-box", "the app/in-box/src"])
def test_a_folder_that_no_import_can_name(
    pytester: pytest.Pytester, command: Run, folder: str
) -> None:
    write(pytester.path, f"{folder}/desk/pipeline.py", PIPELINE)
    command("init")
    ini = (pytester.path / "pytest.ini").read_text()
    assert ini.startswith(f"[pytest]\npythonpath = '{folder}' .\n")
    assert (
        "from desk.pipeline import queue_of"
        in (pytester.path / "tests/test_queue_of.py").read_text()
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["*test_queue_of.py::test_queue_of[[]case-1]"])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("in-box/pipeline.py", "'in-box' is no name in Python; add in-box to pytest's pythonpath"),
        ("desk/pipe-line.py", "'pipe-line' is no name in Python; rename it"),
        ("import/pipeline.py", "'import' is no name in Python; add import to pytest's pythonpath"),
    ],
)
def test_a_source_that_no_test_can_import_is_one_line(
    pytester: pytest.Pytester, command: Run, source: str, said: str
) -> None:
    write(pytester.path, source, PIPELINE)
    write(pytester.path, "pytest.ini", "[pytest]\npythonpath = .\n")
    ended = command("init")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert said in ended.err
    assert not (pytester.path / "tests").exists()

"""Parametrise tests from case files (`@cases`), and find the row of each item."""

from __future__ import annotations

import copy
import inspect
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePath
from typing import Any

import pytest

from pytest_mipro.errors import CaseFileError, ConfigurationError, UsageError
from pytest_mipro.optimizer.study.identity import content_digest
from pytest_mipro.plugin.collecting.case_files import ID, CaseFile, Row, read_case_file
from pytest_mipro.plugin.collecting.marks import CASES_MARK, metric_mark
from pytest_mipro.plugin.config.paths import format_path
from pytest_mipro.runtime.signature.json_values import to_json
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import one_line

_FILES = pytest.StashKey[dict[Path, CaseFile]]()
_COUNTS = pytest.StashKey[dict[str, int]]()
_STUDIES = pytest.StashKey[dict[str, str | None]]()
MODEL_SIGN = "@"  # before the model in the name of a test
MODEL = "mipro_model"
"""The parameter of the model that the mark's `models` give a case; a test may take it."""
# Parameters of the machinery, not of the test.
_MACHINERY = frozenset({"anyio_backend", MODEL})


def cases(path: str | os.PathLike[str]) -> pytest.MarkDecorator:
    """Parametrise a test from a case file: jsonl, csv (all values are texts) or yaml.

    The path is relative to the test file. Each of the test's parameters that is a column gets the
    row's value, as in `pytest.mark.parametrize`; the others stay fixtures. The column `id` names
    the row (else the first 8 hex digits of its digest do), `split` (train, validation, holdout)
    and `demo` (false) say how it may be used, and rows of one `cluster` (a customer, a document)
    stay together; the test need not take them.
    """
    try:
        text = os.fspath(path)
    except TypeError:
        got = getattr(path, "__qualname__", None) or one_line(repr(path), limit=80)
        # Of all errors at import, pytest prints this one without a traceback.
        remedy = "; pytest.mark.parametrize takes rows" if isinstance(path, Sequence) else ""
        raise pytest.Collector.CollectError(
            f'cases takes the path of a case file, as @cases("tickets.jsonl"), got {got}{remedy}'
        ) from None
    return pytest.mark.mipro_cases(path=text)


def parametrise(metafunc: pytest.Metafunc) -> None:
    """Check a test's mark and parametrise it from its case file, if it has these.

    Called by `pytest_generate_tests`. Raises CollectError, whose text is one line.
    """
    try:
        mark = metric_mark(metafunc.definition)
        if mark is not None and mark.models:
            metafunc.fixturenames.append(MODEL)  # pytest refuses names that nobody takes
            metafunc.parametrize(MODEL, mark.models, ids=mark.models)
        marks = list(metafunc.definition.iter_markers(CASES_MARK))
        if marks:
            _parametrise(metafunc, marks)
    except UsageError as error:
        raise pytest.Collector.CollectError(str(error)) from None


def check_items(config: pytest.Config, items: Sequence[pytest.Item]) -> None:
    """Count the items of one marked test; refuse equal ids, and parameters that nothing provides.

    `items` are what a collector returned of the test. Node ids on the command line make pytest
    collect a test whole and then in part: the largest number counts. Raises CollectError, whose
    text is one line.
    """
    first, name = items[0], nodeid_of_test(items[0])
    _refuse_equal_ids(items)
    counts = config.stash.setdefault(_COUNTS, {})
    counts[name] = max(len(items), counts.get(name, 0))
    row = _marked_row(first)
    if row is None or row.file is None:
        return
    known = _provided(first) | {"request"}
    for parameter in _parameters(getattr(first, "obj", None), getattr(first, "fixturenames", ())):
        if parameter not in known:
            file = _case_file(config, row.file)
            near = get_close_matches(parameter, file.columns, n=1)
            meant = f"did you mean {near[0]!r}? " if near else ""
            raise pytest.Collector.CollectError(
                f"{file.shown}:1: {name} takes {parameter!r}, which is neither a column nor a "
                f"fixture; {meant}columns: {', '.join(file.columns)}"
            )


def _refuse_equal_ids(items: Sequence[pytest.Item]) -> None:
    """Refuse two cases of one node id: results are known by it."""
    for nodeid, count in Counter(item.nodeid for item in items).items():
        if count > 1:
            raise pytest.Collector.CollectError(
                f"{nodeid}: {counted(count, 'case')} have this node id, as the ids of parameters "
                "are joined by '-'; give them other ids"
            )


def note_marked(item: pytest.Item, study: str | None) -> None:
    """Note that the item's test carries the mark, selected or not, and which study that names."""
    item.config.stash.setdefault(_STUDIES, {})[nodeid_of_test(item)] = study


def marked_tests(config: pytest.Config) -> Mapping[str, str | None]:
    """Return the named study (None: that of its file) of each marked test collected, by node id."""
    return config.stash.get(_STUDIES, {})


def expected_count(config: pytest.Config, test_nodeid: str) -> int:
    """Return how many items the whole marked test has, whatever was selected; 0: not known.

    `test_nodeid` is the id without parameters, as `nodeid_of_test` gives it. A test
    whose mark was added after collection is not known.
    """
    return config.stash.get(_COUNTS, {}).get(test_nodeid, 0)


def nodeid_of_test(item: pytest.Item) -> str:
    """Return the item's node id without its parameters; `…@model` where the mark gives a model.

    So each model's cases are a test of their own.
    """
    model = model_of(item)
    return f"{_bare_nodeid(item)}{MODEL_SIGN}{model}" if model else _bare_nodeid(item)


def model_of(item: pytest.Item) -> str:
    """Return the model that the mark's `models` give the item, "" where they give none."""
    return str(getattr(getattr(item, "callspec", None), "params", {}).get(MODEL, ""))


def parameters_of(item: pytest.Item) -> str:
    """Return the item's parameters as its node id has them, "[a-b]", without the mark's model.

    Its place among them depends on what else gives the test parameters, as a fixture does.
    """
    text, model = item.name.removeprefix(_function_name(item)), model_of(item)
    if not model:
        return text
    others = f"-{text[1:-1]}-".replace(f"-{model}-", "-", 1)[1:-1]
    return f"[{others}]" if others else ""


def _bare_nodeid(item: pytest.Item) -> str:
    """Return the node id without parameters, made anew: plugins add to an item's own.

    pytest-xdist does, the group of `--dist loadgroup`.
    """
    return f"{item.parent.nodeid if item.parent else ''}::{_function_name(item)}"


def _function_name(item: pytest.Item) -> str:
    return getattr(item, "originalname", None) or item.name


def case_row(item: pytest.Item) -> Row:
    """Return the row of an item: that of its case file, else one made from its parameters.

    Equal parameters make equal rows. Values without a JSON form count by the id that pytest gave
    them; a path counts as seen from the test file, so that the row is the same on every machine.
    """
    row = _marked_row(item)
    return row if row is not None else _parameter_row(item)


def inputs_digest(item: pytest.Item, row: Row) -> str:
    """Return a digest of what the item's test takes of a row of a case file.

    "" where that does not tell the row: it is from no file, or the test looks it up by its id.
    """
    given = getattr(getattr(item, "callspec", None), "params", {})
    taken = {name: value for name, value in row.facts.items() if name in given}
    known = row.file is not None and ID not in given
    return content_digest(taken) if taken and known else ""


def _parametrise(metafunc: pytest.Metafunc, marks: Sequence[pytest.Mark]) -> None:
    test = metafunc.definition
    if len(marks) > 1:
        raise ConfigurationError(
            f"{test.nodeid}: takes cases from {len(marks)} files; keep one @cases(…)"
        )
    if "path" not in marks[0].kwargs:
        raise ConfigurationError(f"{test.nodeid}: write the mark {CASES_MARK} as @cases(path)")
    path = Path(os.path.normpath(test.path.parent / marks[0].kwargs["path"]))
    file = _case_file(metafunc.config, path)
    names = _column_parameters(metafunc, file)
    sets = [_parameter_set(row, names) for row in _complete(test.nodeid, file, names)]
    metafunc.parametrize(names, sets)


def _case_file(config: pytest.Config, path: Path) -> CaseFile:
    """Read a file once a session, so that all tests see the same rows."""
    files = config.stash.setdefault(_FILES, {})
    if path not in files:
        files[path] = read_case_file(path, format_path(config, path))
    return files[path]


def _column_parameters(metafunc: pytest.Metafunc, file: CaseFile) -> list[str]:
    """Return the columns that the test, or a fixture of it that nothing else provides, takes."""
    columns, test = set(file.columns), metafunc.definition
    for name, parameter in inspect.signature(metafunc.function).parameters.items():
        if name in columns and parameter.default is not parameter.empty:
            raise CaseFileError(
                f"{file.shown}:1: {test.nodeid} has a default for the column {name!r}, so that "
                "pytest would never pass it; drop the default"
            )
    own = _parameters(metafunc.function, metafunc.fixturenames)
    free = [name for name in metafunc.fixturenames if name not in _provided(test)]
    names = [name for name in dict.fromkeys((*own, *free)) if name in columns - {"request"}]
    if not names:
        raise CaseFileError(
            f"{file.shown}:1: no parameter of {test.nodeid} is a column; "
            f"columns: {', '.join(file.columns)}"
        )
    return names


def _parameters(function: Any, fixturenames: Sequence[str]) -> list[str]:
    """Return the function's own parameters that pytest has to fill, in order."""
    if not callable(function):
        return []
    return [name for name in inspect.signature(function).parameters if name in fixturenames]


def _provided(item: pytest.Item) -> set[str]:
    """Return the names that fixtures or other parametrisations provide for the item."""
    info = getattr(item, "_fixtureinfo", None)  # no public way tells a fixture from a gap
    return set(getattr(info, "name2fixturedefs", ()))


def _complete(nodeid: str, file: CaseFile, names: Sequence[str]) -> tuple[Row, ...]:
    for row in file.rows:
        for name in names:
            if name not in row.columns:
                raise CaseFileError(
                    f"{file.shown}:{row.line}: the row {row.id!r} has no column {name!r}, "
                    f"which {nodeid} takes"
                )
    return file.rows


def _parameter_set(row: Row, names: Sequence[str]) -> Any:
    # Copies: a test that changes its argument must not change the row for other tests.
    values = [copy.deepcopy(row.columns[name]) for name in names]
    return pytest.param(*values, id=row.id, marks=pytest.mark.mipro_cases(row=row))


def _marked_row(item: pytest.Item) -> Row | None:
    for mark in item.iter_markers(CASES_MARK):
        if isinstance(row := mark.kwargs.get("row"), Row):
            return row
    return None


def _parameter_row(item: pytest.Item) -> Row:
    callspec = getattr(item, "callspec", None)
    given = {} if callspec is None else callspec.params
    parameters = {name: given[name] for name in given if name not in _MACHINERY}
    if not parameters:
        return Row(f"{item.path.name}::{_bare_nodeid(item).partition('::')[2]}")
    columns: dict[str, Any] = {}
    unnamed = ""
    for name, value in parameters.items():
        try:
            columns[name] = _portable(value, item.path.parent)
        except TypeError:
            unnamed = str(getattr(callspec, "id", ""))
    return Row(f"params:{content_digest([columns, unnamed])}", columns)


def _portable(value: Any, folder: Path) -> Any:
    if isinstance(value, PurePath) and value.is_absolute():
        return PurePath(os.path.relpath(value, folder)).as_posix()
    return to_json(value)

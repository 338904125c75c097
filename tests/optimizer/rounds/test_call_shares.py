"""What of a program's calls is new beside another program."""

from dataclasses import replace
from typing import Any

from made_runs import call, run
from optimizer_world import note, sort
from pytest_mipro.optimizer.rounds.reuse import new_share, shares_from

from pytest_mipro.optimizer.measuring.evaluate import sorted_by_content
from pytest_mipro.optimizer.study.case import CaseRun

PATHS = [note.signature.prompt_path, sort.signature.prompt_path]


def _case(*modules: Any) -> CaseRun:
    return run("r0", 1.0, *(call(module, "x", "y") for module in modules))


def test_a_modules_share_is_what_follows_its_first_call() -> None:
    runs = [_case(note, sort), _case(note, note, note, sort)]
    assert shares_from(runs, PATHS) == (1.0, (1 / 2 + 1 / 4) / 2)


def _begun(*modules: Any) -> CaseRun:
    """A case whose calls began in this order, in the order of content that runs have."""
    calls = (replace(call(each, "x", "y"), place=n) for n, each in enumerate(modules, 1))
    return run("r0", 1.0, *sorted_by_content(calls))


def test_the_order_is_the_one_in_which_calls_began() -> None:
    assert [each.signature for each in _begun(sort, note).calls] == [note.signature, sort.signature]
    assert shares_from([_begun(sort, note)], PATHS) == (1 / 2, 1.0)
    assert shares_from([_begun(sort, sort, note, note)], PATHS) == (1 / 2, 1.0)


def test_modules_called_at_once_have_no_order() -> None:
    assert shares_from([_begun(sort, note), _begun(note, sort)], PATHS) == (1.0, 1.0)


def test_a_module_that_no_run_calls_costs_all() -> None:
    assert shares_from([_case(note)], PATHS) == (1.0, 1.0)


def test_the_first_module_that_changed_says_what_is_new() -> None:
    shares = (1.0, 0.4)
    base = (0, 0, 0, 0)
    assert new_share((0, 0, 0, 1), [base], shares) == 0.4
    assert new_share((1, 0, 0, 1), [base], shares) == 1.0
    assert new_share((1, 0, 0, 1), [base, (1, 0, 0, 0)], shares) == 0.4
    assert new_share(base, [base], shares) == 0.0
    assert new_share(base, [], shares) == 1.0

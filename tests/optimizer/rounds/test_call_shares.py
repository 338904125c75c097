"""Which share of a program's calls a change of each module makes anew."""

from dataclasses import replace
from typing import Any

import pytest
from made_runs import call, run
from optimizer_world import note, sort

from pytest_mipro.optimizer.measuring.evaluate import sorted_by_content
from pytest_mipro.optimizer.rounds.call_shares import call_shares
from pytest_mipro.optimizer.search.space import CallShare
from pytest_mipro.optimizer.study.case import CaseRun

PATHS = [note.signature.prompt_path, sort.signature.prompt_path]


def _case(*modules: Any) -> CaseRun:
    return run("r0", 1.0, *(call(module, "x", "y") for module in modules))


def test_a_module_has_its_own_calls_at_least_and_what_follows_its_first_at_most() -> None:
    assert call_shares([_case(note, sort)], PATHS) == (CallShare(0.5, 1.0), CallShare(0.5, 0.5))
    runs = [_case(note, sort), _case(note, sort, sort, sort, sort, sort)]
    assert call_shares(runs, PATHS) == (CallShare(0.5, 1.0), CallShare(6 / 8, 6 / 8))


def test_a_module_that_is_seldom_called_counts_as_one_of_all() -> None:
    runs = [_case(note, sort), *(_case(note) for _ in range(98))]
    assert call_shares(runs, PATHS) == (CallShare(99 / 100, 1.0), CallShare(0.5, 0.5))


@pytest.mark.parametrize("calls", range(2, 61))
def test_no_share_is_more_than_all_by_a_bit(calls: int) -> None:
    """1/5 is more than 1 - 4/5, to the last bit."""
    for own in range(1, calls):
        run = _case(*[note] * (calls - own), *[sort] * own)
        _, late = call_shares([run], PATHS)
        assert late.least == late.most == max(0.5, own / calls)


def _begun(*modules: Any) -> CaseRun:
    """A case whose calls began in this order, in the order of content that runs have."""
    calls = (replace(call(each, "x", "y"), place=n) for n, each in enumerate(modules, 1))
    return run("r0", 1.0, *sorted_by_content(calls))


def test_the_order_is_the_one_in_which_calls_began() -> None:
    assert [each.signature for each in _begun(sort, note).calls] == [note.signature, sort.signature]
    shares = CallShare(1 / 2, 1 / 2), CallShare(1 / 2, 1.0)
    assert call_shares([_begun(sort, note)], PATHS) == shares
    assert call_shares([_begun(sort, sort, note, note)], PATHS) == shares


def test_modules_called_at_once_have_no_order() -> None:
    at_once = CallShare(1 / 2, 1.0)
    assert call_shares([_begun(sort, note), _begun(note, sort)], PATHS) == (at_once, at_once)


def test_a_module_that_no_run_calls_costs_all() -> None:
    assert call_shares([_case(note)], PATHS) == (CallShare(1.0, 1.0), CallShare(1.0, 1.0))

"""How a study ended: five lines, one under -q, and what to try where nothing is better."""

from dataclasses import replace

import pytest
from optimizer_world import play

from pytest_mipro.optimizer.run.events import Measured
from pytest_mipro.optimizer.statistics.decide import Decision
from pytest_mipro.optimizer.study.amount import Amount
from pytest_mipro.plugin.optimise.lines.ending import Ending


@pytest.fixture(scope="module")
def better() -> Ending:
    result = replace(play().result, spending=(), billed=Amount(7, 900, 12_000_000))
    return Ending("test_a.py", result, 65.0, "medium", written=("p.yaml", "test_a.mipro.json"))


def likely(ending: Ending, verdict: str = "likely") -> Ending:
    """Return the ending of a finalist that is refused with that verdict."""
    decision = ending.result.decision
    assert decision is not None
    refused = Decision(verdict, False, "likely better", decision.lift, -0.01, 0.975)
    result = replace(ending.result, prompts={}, refused=ending.result.prompts, decision=refused)
    return replace(ending, result=result, written=(), kept=".mipro/refused/a.diff")


def none(ending: Ending) -> Ending:
    result = replace(
        ending.result, prompts={}, decision=None, deciding_after=None, after=None, reason="no luck"
    )
    return replace(ending, result=result, written=())


def test_five_lines_tell_score_decision_files_cost_and_what_is_next(better):
    lines = dict(better.lines())
    assert list(lines) == ["score", "decision", "files", "cost", "next"]
    assert " → " in lines["score"]
    assert ", lift +" in lines["score"]
    assert lines["decision"].startswith("better: lift +")
    assert lines["files"] == "wrote p.yaml, test_a.mipro.json"
    assert lines["cost"].endswith("; billed 7 calls, 900 tokens, $0.0120; 1:05")
    assert lines["next"].startswith("git status, git diff, pytest, ")


def test_many_files_are_counted_and_the_worst_of_many_tests_are_named(better):
    tests = {f"test_{letter}": 0.5 for letter in "abcde"}
    after = Measured(0.6, better.result.before.interval, {**tests, "test_d": 0.4}, 9, 9)
    result = replace(better.result, before=replace(after, tests=tests), after=after)
    many = replace(better, result=result, written=tuple(f"{n}.yaml" for n in range(6)))
    lines = dict(many.lines())
    assert lines["files"] == "wrote 0.yaml, 1.yaml, 2.yaml, 3.yaml, 2 more"
    named = "(test_d 0.500 → 0.400, test_a 0.500 → 0.500, test_b 0.500 → 0.500, 2 more)"
    assert lines["score"].endswith(named)


def test_one_line_tells_it_all(better):
    line = better.line()
    assert line.startswith("test_a.py: better; 0.")
    assert "; wrote 2 files; " in line
    assert line.endswith("; 1:05")


def test_what_is_held_back_is_told_with_what_writes_it(better):
    held = replace(better, written=(), withheld="--mipro-diff", then="the same command again")
    lines = dict(held.lines())
    assert (lines["files"], lines["next"]) == (
        "nothing written: --mipro-diff",
        "the same command again",
    )


@pytest.mark.parametrize("larger", ["medium", "heavy", None])
def test_where_nothing_is_better_the_next_larger_effort_is_named(better, larger):
    ending = none(replace(better, larger=larger))
    text = dict(ending.lines())["next"]
    assert (f"try --mipro-effort={larger}, or --mipro-seed=1" in text) == bool(larger)
    assert "--mipro-proposer-model" in text
    assert "nothing better; " in ending.line()
    assert ending.line().endswith(text)


def test_after_a_limit_that_limit_is_to_be_raised(better):
    ended = none(better)
    early = replace(ended, result=replace(ended.result, cut_short=True))
    assert early.next().startswith("try a higher limit: the same command then goes on ")
    finalist = likely(better)
    shown = replace(finalist, result=replace(finalist.result, cut_short=True))
    assert shown.next().startswith("try --mipro-accept=likely, which writes the finalist, or a hig")
    idle = replace(ended.result, ended="the search ended after 2 rounds without a better program")
    assert replace(ended, result=idle).next().startswith("try ")


def test_part_of_the_cases_is_followed_by_all_of_them(better):
    part = replace(none(better), withheld="only part of its cases ran", then="all cases")
    assert part.next() == "all cases"


def test_a_finalist_that_is_likely_better_can_be_accepted(better):
    lines = dict(likely(better).lines())
    assert lines["files"].endswith("the refused finalist is kept: .mipro/refused/a.diff")
    assert "--mipro-accept=likely" in lines["next"]
    assert "--mipro-accept=likely" not in dict(likely(better, "reject").lines())["next"]


def test_a_gate_that_still_fails_is_told_with_the_decision(better):
    ending = replace(better, failing=("test_a: 0.40 is below the threshold 0.50",))
    assert dict(ending.lines())["decision"].endswith(
        "; still fails test_a: 0.40 is below the threshold 0.50"
    )


def test_where_replies_are_recorded_the_next_command_records_those_of_the_new_prompts(better):
    recorded = replace(better, recorded=True)
    then = "git status, git diff, pytest --mipro-replies=record, then commit prompts, lock and "
    assert recorded.next() == f"{then}recorded replies"
    assert recorded.line().endswith(f"; {recorded.next()}")

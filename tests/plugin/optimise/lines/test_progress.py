"""Events of the optimiser as lines: what stays, what the area shows, what quiet output lacks."""

from dataclasses import dataclass, field

import pytest

from pytest_mipro.optimizer.proposing.proposal_plan import ProposalPlan
from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.run.events import (
    BaselineMeasured,
    CandidatesReady,
    Decided,
    Measured,
    ProposalsMade,
    StageProgress,
    StageStarted,
    TrialFinished,
)
from pytest_mipro.optimizer.statistics.intervals import Interval
from pytest_mipro.plugin.optimise.lines.progress import Progress
from pytest_mipro.runtime.signature.function_signature import signature_of


@dataclass
class Paper:
    """A screen that keeps its lines."""

    live: bool = False
    verbose: bool = False
    width: int = 80
    lines: list[str] = field(default_factory=list)
    marked: list[str] = field(default_factory=list)

    def line(self, text: str, **markup: bool) -> None:
        self.lines.append(text)
        if any(markup.values()):
            self.marked.append(text)


def trial(number: int, kind: str = "minibatch", **more) -> TrialFinished:
    values = {
        "estimate": 0.5,
        "rows": 25,
        "best": 0.4,
        "calls": 75,
        "assignment": (number, 0),
    } | more
    return TrialFinished("s", number, 1, kind, **values)


def draw(*events, live: bool = False) -> Paper:
    paper = Paper(live)
    progress = Progress(paper)
    for event in events:
        progress(event)
    return paper


def test_a_quiet_output_shows_full_and_dropped_trials_alone():
    dropped = trial(3, estimate=None, dropped="more than the 9 calls reserved for it")
    paper = draw(trial(1), trial(2, "full", rows=99, best=0.5), dropped)
    assert paper.lines == [
        "trial         2  0.500 on all 99 rows               75 calls   best 0.500",
        "trial         3  dropped: more than the 9 calls reserved for it",
    ]


def test_a_program_that_leads_is_named_the_best():
    paper = draw(trial(1, "full", best=0.5), trial(2, "full"), trial(3, best=0.5), live=True)
    assert [("best" in line) for line in paper.lines] == [True, False, False]
    assert paper.marked == [paper.lines[0]]


def test_a_leader_that_is_measured_once_more_is_no_new_program():
    again = trial(3, rows=50, assignment=(1, 0))
    paper = draw(trial(1), trial(2), again, trial(4, "full", assignment=(1, 0)), live=True)
    assert [line.endswith("the leader again") for line in paper.lines] == [0, 0, 1, 0]


def test_proposals_are_told_by_the_candidates_that_came_of_them():
    paper = draw(ProposalsMade("s", 1, ()), live=True)
    assert paper.lines == []


def test_lost_proposals_are_told_on_every_screen():
    signature = signature_of(module, prompt="p.yaml", reasoning=False, optimize=True)
    plan = ProposalPlan("grounded", "none", True, True, "mixed", 1.0, "m")
    made = [
        Proposal(signature, plan, (), (), "", "", problem)
        for problem in ("refused", "", "cut", "refused", "", "refused", "")
    ]
    for live in (False, True):
        paper = draw(ProposalsMade("s", 1, tuple(made)), live=live)
        assert paper.lines == [
            "proposals   round 1: 4 of 7 proposals unusable: 3 refused, 1 cut",
        ]
        skipped = draw(ProposalsMade("s", 1, (), "the budget holds no proposals"), live=live)
        assert skipped.lines == ["proposals   round 1: the budget holds no proposals"]


def module(text: str) -> str:
    """Sort it."""


def test_trial_numbers_are_aligned():
    lines = draw(trial(9), trial(10), trial(100), live=True).lines
    assert {line.index("0.500") for line in lines} == {17}


def test_off_a_terminal_each_stage_has_a_line():
    stages = ["baseline", "search", "proposals", "decision", "final pass"]
    events = [StageStarted("s", stage, 40) for stage in stages]
    events += [StageProgress("s", "baseline", 7, 40)]
    assert [line[:12].rstrip() for line in draw(*events).lines if line[0] != " "] == [
        "baseline",
        "search",
        "decision",
        "final pass",
    ]
    assert draw(*events, live=True).lines == []  # the area shows them


def test_lines_end_before_the_81st_column():
    text = (
        "better: lift +0.139 (+0.06 to +0.22) on 81 holdout rows, one-sided 95 % lower bound +0.068"
    )
    lines = draw(Decided("s", None, f"{text}, {text}")).lines
    assert len(lines) == 3
    assert max(map(len, lines)) <= 80
    assert " ".join(line[12:] for line in lines) == f"{text}, {text}"
    assert not [line for line in lines if line.lstrip().startswith("%") or line.endswith("95")]


@pytest.mark.parametrize("width", [40, 160])
def test_lines_use_the_width_there_is(width):
    paper = Paper(width=width)
    Progress(paper)(Decided("s", None, "better: lift +0.139 on 81 holdout rows, and more " * 4))
    assert max(map(len, paper.lines)) <= width
    assert max(map(len, paper.lines)) > width - 20


def test_modules_are_named_short_where_that_is_clear():
    counts = {"a.read": 1, "b.write": 2}
    lines = draw(CandidatesReady("s", 1, counts, counts, counts, {"a.read": 1, "b.write": 1})).lines
    assert lines == [
        "round 1     read   1 instruction, 1 demo set of 1 passing row, all too long for",
        "            demos",
        "            write  2 instructions, 2 demo sets of 2 passing rows, 1 too long for",
        "            demos",
    ]
    text = {"read_mail.md@acme": 1}
    assert "read_mail.md@acme  1 instr" in draw(CandidatesReady("s", 1, *[text] * 4)).lines[0]
    variant = {"a.read@gpt-4.1": 1}
    assert "read@gpt-4.1  1 instr" in draw(CandidatesReady("s", 1, *[variant] * 4)).lines[0]
    same, none = {"a.read": 1, "b.read": 2}, {"a.read": 0, "b.read": 0}
    assert "a.read  1 instruction" in draw(CandidatesReady("s", 1, same, same, same, none)).lines[0]


def test_skipped_cases_are_named_and_many_are_counted():
    measured = Measured(0.5, Interval(0.4, 0.6), {"test_a": 0.5}, 7, 7)
    removed = tuple(f"test_a[{n}]" for n in range(7))
    lines = draw(BaselineMeasured("s", measured, removed)).lines
    assert lines[0] == "before      0.500 (0.40 to 0.60) on 7 cases of 7 rows"
    assert "and 2 more" in lines[-1]


def test_an_event_without_a_line_is_an_error():
    with pytest.raises(TypeError, match="no line for"):
        Progress(Paper())("nonsense")

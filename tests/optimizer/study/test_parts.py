"""The parts: each one switched off by itself changes what is asked, as it says."""

from collections.abc import Callable
from typing import Any

import pytest
from optimizer_world import ALL_STRATEGIES, Played, make_rows, make_study, metric_hard, play
from world_model import MODEL, PROPOSER, WorldClient, answer, last, module_of, way_of

from pytest_mipro.optimizer.proposing.proposal_plan import TIPS
from pytest_mipro.optimizer.proposing.proposer_models import Proposal
from pytest_mipro.optimizer.run.events import CandidatesReady, ProposalsMade, TrialFinished
from pytest_mipro.optimizer.study.settings import DEFAULT, OPTIONAL, PARTS, OptimizerSettings
from pytest_mipro.runtime.client.contract import Request


def reply(request: Request) -> str:
    """Every fourth proposal spoils the second module, so that trials of it are hopeless."""
    if request.model == PROPOSER and module_of(request) == "sort" and way_of(request) % 4 == 1:
        return "Choose the colour and spoil it."
    return answer(request)


STUDY = make_study(make_rows(12, 40, 14), {"test_hard": metric_hard})
PLAYED: dict[frozenset[str], Played] = {}


def played(parts: frozenset[str]) -> Played:
    """Return a study played with these parts, once for all tests."""
    if parts not in PLAYED:
        PLAYED[parts] = play(
            STUDY,
            WorldClient(reply),
            {"strategies": ALL_STRATEGIES},
            parts=parts,
            rounds=5,
            trials=18,
            candidates=3,
            minibatch_size=20,
            max_demos=6,
            patience=1,
            seed=1,
        )
    return PLAYED[parts]


ALL = frozenset(PARTS)


def proposals(run: Played) -> list[Proposal]:
    return [item for event in run.seen(ProposalsMade) for item in event.proposals]


def shown(run: Played) -> str:
    return "\n".join(m.content for item in proposals(run) for m in item.messages)


def strategies(run: Played) -> set[str]:
    return {item.plan.strategy for item in proposals(run)}


def shows_demos(request: Request) -> bool:
    """Return whether turns stand before the inputs; a correction stands behind them."""
    return len(request.messages) > 2 and last(request).startswith("<")


def trials(run: Played) -> list[TrialFinished]:
    return run.seen(TrialFinished)


SIGNS: dict[str, Callable[[Played], Any]] = {
    "instructions": lambda run: run.client.of(PROPOSER),
    "demos": lambda run: any(shows_demos(request) for request in run.client.of(MODEL)),
    "dataset": lambda run: "## Dataset\nA summary of" in shown(run),
    "program": lambda run: "## Program\nA summary of" in shown(run),
    "tips": lambda run: any(tip and tip in shown(run) for tip in TIPS.values()),
    "grounded": lambda run: "grounded" in strategies(run),
    "history": lambda run: "history" in strategies(run),
    "reflective": lambda run: "reflective" in strategies(run),
    "minibatches": lambda run: any(trial.kind == "minibatch" for trial in trials(run)),
    "rounds": lambda run: len(run.seen(CandidatesReady)) > 1,
}
"""What shows that a part is on."""


def lost(request: Request) -> str:
    """Lose every long request."""
    long = request.model == PROPOSER and last(request).count("### Example") > 4
    return "" if long else answer(request)


@pytest.mark.parametrize("brief", [True, False])
def test_brief_is_asked_where_a_long_request_is_lost(brief: bool) -> None:
    parts = ALL if brief else ALL - {"brief"}
    services = {"strategies": ALL_STRATEGIES}
    made = play(STUDY, WorldClient(lost), services, parts=parts, rounds=1, trials=2)
    assert strategies(made) == ({"brief"} if brief else {"grounded", "reflective"})


@pytest.mark.parametrize("part", sorted(ALL - {"brief", "attempts", "plateau", "learning"}))
def test_each_part_switched_off_by_itself_changes_what_is_asked(part: str) -> None:
    on, off = played(ALL), played(ALL - {part})
    assert on.client.digests != off.client.digests
    if part in SIGNS:
        assert SIGNS[part](on)
        assert not SIGNS[part](off)


def test_every_part_says_what_it_is_for() -> None:
    assert set(SIGNS) | {"attempts", "plateau", "learning", "brief"} == set(PARTS)
    assert all(PARTS.values())
    assert frozenset(PARTS) - OPTIONAL == DEFAULT == OptimizerSettings().parts

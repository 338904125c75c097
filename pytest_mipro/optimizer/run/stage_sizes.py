"""The size of each stage of a study, in rows and calls."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_mipro.optimizer.proposing.proposer_models import GROUNDING_CALLS
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.optimizer.study.split import Split


@dataclass(frozen=True)
class StageSize:
    """The size of a stage: how many rows run `once` a case, and how many with all repeats.

    Of them, `fresh_once` and `fresh_repeated` make calls that no earlier stage made. At most so
    many `more` run, as the others do: trials that change one module alone cost less, so there may
    be more of them. `calls` are the optimiser's own. Of `fresh_once`, the teacher answers on
    `taught` rows; of `fresh_repeated`, room is kept for a `leader` while others run.
    """

    stage: str
    once: int = 0
    repeated: int = 0
    more: int = 0
    fresh_once: int = 0
    fresh_repeated: int = 0
    calls: int = 0
    taught: int = 0
    leader: int = 0

    @property
    def planned(self) -> int:
        """How many rows and calls of its own the stage asks anew."""
        return self.fresh_once + self.fresh_repeated + self.calls


def stage_sizes(
    settings: OptimizerSettings,
    split: Split,
    modules: int,
    *,
    sampled: bool,
    failing: int | None = None,
) -> tuple[StageSize, ...]:
    """Return the sizes of all stages; `sampled`: the search uses other samples than the gate.

    `failing` is how many training rows are attempted again, None: not known, and so all. Calls that
    trials share count for each of them, so the expectation is an upper estimate. Where a minibatch
    is all validation rows, each trial is a full evaluation, and none follows.
    """
    validation, deciding = len(split.validation), len(split.holdout or split.validation)
    rows = len({*split.train, *split.validation, *split.holdout})
    batch, again = settings.batch_of(validation), settings.rounds - 1
    attempts = settings.attempts_at(len(split.train) if failing is None else failing)
    training = (settings.rounds - 1) * min(settings.training_rows, len(split.train)) + attempts
    taught = attempts if settings.teacher_model else 0
    wanted = settings.candidates if settings.has("instructions") else 0
    proposals = settings.rounds * wanted * modules
    known = 0 if sampled else validation
    trials = settings.trials * batch
    once, leader = (0, 0) if batch == validation else (trials + again * batch, validation)
    new = deciding if split.holdout or sampled else 0
    return (
        StageSize("baseline", repeated=rows, fresh_repeated=rows),
        StageSize("bootstrap", training, fresh_once=training, taught=taught),
        StageSize("proposals", calls=(GROUNDING_CALLS if proposals else 0) + proposals),
        StageSize(
            "search",
            once,  # the leader runs on each round's minibatch
            settings.leaders * leader if once else trials,
            more=settings.trials * max(0, modules - 1) * batch,
            fresh_once=once,
            fresh_repeated=leader or trials,  # the second leader seldom could win by then
            leader=leader,
        ),
        StageSize("decision", repeated=deciding, fresh_repeated=new),
        StageSize("final pass", repeated=rows, fresh_repeated=rows - known - new),
    )

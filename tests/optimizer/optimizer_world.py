"""A small world for tests of the optimiser's path: rows, a program of two modules, and studies.

Every row's text holds one of six words and a marker of the row; see `world_model` for the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from world_model import COLOURS, MODEL, PROPOSER, WorldClient, wandering_client, word_of

from pytest_mipro import lm_module
from pytest_mipro.errors import MiproError, ProgramError
from pytest_mipro.optimizer.mipro import optimize
from pytest_mipro.optimizer.proposing.strategies import (
    BriefStrategy,
    GroundedStrategy,
    HistoryStrategy,
    ReflectiveStrategy,
)
from pytest_mipro.optimizer.run.baseline import Baseline
from pytest_mipro.optimizer.run.events import TrialFinished
from pytest_mipro.optimizer.run.measure_baseline import measure_baseline
from pytest_mipro.optimizer.run.result import StudyResult
from pytest_mipro.optimizer.run.study_run import Services, StudyRun, study_run
from pytest_mipro.optimizer.search.searcher import RandomSearcher
from pytest_mipro.optimizer.study.case import Case, Outcome, Study, TestSpec
from pytest_mipro.optimizer.study.settings import OptimizerSettings
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt

Colour = Literal["red", "green", "blue"]


@lm_module(model=MODEL)
def note(text: str) -> str:
    """Note what the text is about."""


@lm_module(model=MODEL)
def sort(note: str) -> Colour:
    """Choose the colour."""


@lm_module(model=MODEL, optimize=False)
def judge(answer: str) -> bool:
    """Say whether the answer is a colour."""


@lm_module(model=MODEL)
def polish(word: str) -> str:
    """Polish the word."""


def program(text: str) -> Colour:
    return sort(note=note(text=text))


# The study.

Test = Callable[["Row"], Outcome]


@dataclass(frozen=True)
class Row:
    id: str
    text: str
    colour: str
    split: str | None
    demo: bool = True

    @property
    def columns(self) -> Mapping[str, Any]:
        return {"text": self.text, "colour": self.colour, "remark": f"[{self.id}]"}


def make_row(number: int, split: str | None) -> Row:
    row, word = f"r{number:03}", list(COLOURS)[number % len(COLOURS)]
    return Row(row, f"[{row}] Here is the {word}.", COLOURS[word], split)


def make_rows(train: int = 12, validation: int = 16, holdout: int = 14) -> tuple[Row, ...]:
    parts = ["train"] * train + ["validation"] * validation + ["holdout"] * holdout
    return tuple(make_row(number, part) for number, part in enumerate(parts))


def metric_colour(row: Row) -> Outcome:
    """The metric: pass or fail, with the rule in the feedback."""
    given = program(row.text)
    if given == row.colour:
        return Outcome(1.0)
    return Outcome(0.0, feedback=f"[{row.id}] {word_of(row.text)} is {row.colour}, not {given}")


def metric_hard(row: Row) -> Outcome:
    """The metric, but for rows that no prompt solves: the search is never at its end."""
    outcome = metric_colour(row)
    return replace(outcome, score=0.0) if int(row.id[1:]) % 13 == 0 else outcome


def metric_late(row: Row) -> Outcome:
    """A metric whose program polishes the words that the committed prompts lose; some are lost."""
    text = note(text=row.text)
    if int(row.id[1:]) % 5 == 0 and "something" not in text:
        text = polish(word=text)
    right = sort(note=text) == row.colour and int(row.id[1:]) % 13 != 0
    return Outcome(float(right), f"{word_of(row.text)} is {row.colour}")


def judged(test: Test, row: Row) -> Callable[[], Outcome]:
    """Return what a Case runs: the test, its exceptions told apart as the plugin does."""

    def run() -> Outcome:
        try:
            return test(row)
        except ProgramError as error:
            return Outcome(0.0, feedback=str(error))
        except MiproError as error:
            return Outcome(None, error=str(error))
        except Exception as error:
            return Outcome(None, failure=f"{type(error).__name__}: {error}")

    return run


def make_study(
    rows: Sequence[Row] = (),
    tests: Mapping[str, Test] | None = None,
    specs: Mapping[str, Mapping[str, Any]] | None = None,
) -> Study:
    """Return a study of every test on every row; `specs` are arguments of their `TestSpec`."""
    tests = tests or {"test_colour": metric_colour}
    return Study(
        name="tests/test_world.mipro",
        cases=tuple(
            Case(
                f"{name}[{row.id}]",
                row.id,
                name,
                judged(test, row),
                row.columns,
                row.split,
                row.demo,
            )
            for name, test in tests.items()
            for row in rows or make_rows()
        ),
        tests={name: TestSpec(name, **(specs or {}).get(name, {})) for name in tests},
    )


def make_settings(**changes: Any) -> OptimizerSettings:
    sizes: dict[str, Any] = {
        "rounds": 2,
        "trials": 6,
        "candidates": 2,
        "leaders": 2,
        "minibatch_size": 8,
        "training_rows": 12,
        "max_demos": 4,
        "min_holdout": 10,
        "concurrency": 8,
        "in_flight": 3,
        "proposer_models": (PROPOSER,),
    }
    return OptimizerSettings(**(sizes | changes))


def without(*parts: str) -> frozenset[str]:
    """Return the parts that are on by default, but for these."""
    assert set(parts) <= OptimizerSettings().parts
    return OptimizerSettings().parts - set(parts)


ALL_STRATEGIES = (GroundedStrategy(), ReflectiveStrategy(), HistoryStrategy(), BriefStrategy())


def make_services(client: Any, events: list[Any] | None = None, **changes: Any) -> Services:
    shown = changes.get("finalists_shown", ())
    parts: dict[str, Any] = {
        "client": client,
        "searcher": RandomSearcher,
        "strategies": [GroundedStrategy()],
        "check_modules": lambda signatures: None,
        "finalists_shown": (),
        "earlier_holdout_uses": 0,
        "record_holdout_use": lambda finalist: tuple(dict.fromkeys((*shown, finalist))),
        "emit": ([] if events is None else events).append,
        "load_prompt": committed_prompt,
    }
    return Services(**(parts | changes))


@contextmanager
def baseline_of(
    study: Study | None = None,
    client: WorldClient | None = None,
    finalists_shown: Sequence[str] = (),
    services: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[tuple[StudyRun, Baseline]]:
    """Yield a run and its measured baseline; close the evaluator afterwards."""
    parts = {"finalists_shown": finalists_shown, **(services or {})}
    made = make_services(client or WorldClient(), **parts)
    run = study_run(study or make_study(), made, make_settings(**settings))
    try:
        yield run, measure_baseline(run)
    finally:
        run.evaluator.close()


@dataclass
class Played:
    """One study played to its end: what came out, and all that was seen on the way."""

    study: Study
    settings: OptimizerSettings
    client: WorldClient
    events: list[Any] = field(default_factory=list)

    @cached_property
    def result(self) -> StudyResult:
        services = make_services(self.client, self.events, **self.services)
        return optimize(self.study, services, self.settings)

    services: Mapping[str, Any] = field(default_factory=dict)

    def seen(self, kind: type) -> list[Any]:
        """Return the events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]


def play(
    study: Study | None = None,
    client: WorldClient | None = None,
    services: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Played:
    """Optimise a study of this world to its end; settings as in `make_settings`."""
    played = Played(
        study or make_study(),
        make_settings(**settings),
        client or WorldClient(),
        services=services or {},
    )
    _ = played.result
    return played


def trials_of(played: Played) -> list[TrialFinished]:
    return played.seen(TrialFinished)


def metric_wander(row: Row) -> Outcome:
    """A metric whose program asks again as long as its first module wants more, four times."""
    text = row.text
    for _ in range(4):
        text = note(text)
        if "more" not in text:
            break
    feedback = f"{word_of(row.text)} is {row.colour}"
    return Outcome(float(sort(text) == row.colour), feedback)


WANDERING = make_study(tests={"test_wander": metric_wander})


def play_wandering(client: WorldClient | None = None, **settings: Any) -> Played:
    return play(WANDERING, client or wandering_client(), **settings)


def metric_note(row: Row) -> Outcome:
    """A graded metric of the first module alone."""
    word = next(word for word in COLOURS if word in row.text)
    return Outcome(1.0 if word in note(row.text) else 0.25, returned=True)


HARD = make_study(tests={"test_hard": metric_hard})
LATE = make_study(tests={"test_late": metric_late})
TWO_TESTS = make_study(
    tests={"test_colour": metric_colour, "test_note": metric_note},
    specs={"test_colour": {"repeats": 2}},
)

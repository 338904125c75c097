"""Bootstrap: run programs on training rows, collect demos from passing cases."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_mipro.errors import OutputParseError
from pytest_mipro.optimizer.measuring.evaluate import Ended, MeasuringRules, Pending
from pytest_mipro.optimizer.rounds.demo_pools import DemoPools, demo_digest
from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.study.amount import NOTHING, Amount
from pytest_mipro.optimizer.study.case import Case, CaseRun, TestSpec, cases_of
from pytest_mipro.runtime.calls.context import Teacher
from pytest_mipro.runtime.calls.trace import ModuleCall
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.score import ROUNDING

# Attempts take sample indices that no measurement uses: a reply at temperature 1 is no score.
_FIRST_ATTEMPT = 1_000


def training_runs(state: SearchState) -> Sequence[CaseRun] | None:
    """Return the incumbent's runs on training rows; None if they don't fit the budget.

    The committed prompts have run on all of them; another incumbent shows a new sample each round.
    """
    run, baseline = state.run, state.baseline
    train = cases_of(baseline.study, baseline.split.train)
    if state.incumbent == state.candidates.committed:
        ids = {case.id for case in train}
        return [item for item in baseline.evaluation.runs if item.case.id in ids]
    rows = state.draw_rows(train, run.settings.training_rows, draw=-state.round)
    program = state.candidates.program(state.incumbent)
    rules = replace(baseline.rules, repeats=False)
    cases = cases_of(baseline.study, rows)
    pending = _start(state, program, cases, "the incumbent on training rows", rules)
    return run.awaited("bootstrap", pending).runs if pending else None


def start_attempts(
    state: SearchState,
    program: Mapping[Path, Prompt],
    failing: Sequence[Case],
    beside: Amount | None = None,
) -> Pending | None:
    """Start another run of rows with failing cases, at temperature 1 and by the teacher, if any.

    A row runs with all its cases, as a demo has to pass all its tests. None if no case fails or the
    budget does not hold the runs, and `beside` them what it may take.
    """
    settings = state.run.settings
    cases: list[Case] = []
    for row in dict.fromkeys(case.row for case in failing):
        mine = cases_of(state.baseline.study, (row,))
        if len(cases) + len(mine) > settings.attempts:
            break
        cases += mine
    rules = replace(
        state.baseline.rules,
        repeats=False,
        first_sample=_FIRST_ATTEMPT + state.round,
        teacher=Teacher(settings.teacher_model),
    )
    if not cases:
        return None
    return _start(state, program, cases, "further attempts", rules, beside)


def _start(
    state: SearchState,
    program: Mapping[Path, Prompt],
    cases: Sequence[Case],
    purpose: str,
    rules: MeasuringRules,
    beside: Amount | None = None,
) -> Pending | None:
    """Start the cases; None if the budget does not hold them."""
    baseline = state.baseline
    rows = sorted({case.row for case in cases})
    teacher = rules.teacher.model if rules.teacher else None
    part = state.run.ledger.part(
        purpose,
        baseline.worst(rows, program, teacher),
        baseline.expects(rows, program, teacher) if beside is None else None,
        stage="bootstrap",
        keep=baseline.leader_expects() + (beside or NOTHING),
    )
    if part is None:
        return None
    pending = state.run.evaluator.start(program, cases, part, rules)
    return pending if part.whole else Ended(pending.result())


def demo_pools(
    runs: Iterable[CaseRun], rows: Collection[str], tests: Mapping[str, TestSpec], seed: int
) -> DemoPools:
    """Return each module's demo candidates, at most one for each training row (`rows`).

    They are a row's calls of the module, if they show demos at all, where all tests that call it
    pass, on the same replies: another test, as a lenient judge's, is no proof of an answer. Of
    several such replies it is one of those that these tests score highest, by their mean. Best
    rows come first, by the mean over all replies.
    """
    together: defaultdict[tuple[Path, str, int], list[tuple[CaseRun, float]]] = defaultdict(list)
    for run in runs:
        if run.case.row not in rows or not run.case.demo or run.outcome.score is None:
            continue
        for path in {call.signature.prompt_path for call in run.calls}:
            together[path, run.case.row, run.sample].append((run, run.outcome.score))
    passing: defaultdict[Path, defaultdict[str, list[tuple[float, ModuleCall]]]]
    passing = defaultdict(lambda: defaultdict(list))
    quality: defaultdict[tuple[Path, str], list[float]] = defaultdict(list)
    for (path, row, _), scored in together.items():
        quality[path, row] += [score for _, score in scored]
        if all(tests[run.case.test].passes(score) for run, score in scored):
            calls = [call for run, _ in scored for call in run.calls if _is_demo(call)]
            mine = [call for call in calls if call.signature.prompt_path == path]
            if mine:
                reached = _mean([score for _, score in scored])
                passing[path][row] += [(reached, call) for call in mine]
    pools, scores = {}, dict[str, float]()
    for path, by_row in passing.items():
        pool = []
        for row in sorted(by_row, key=lambda row: (-_mean(quality[path, row]), row)):
            best = max(score for score, _ in by_row[row])
            calls = [call for score, call in by_row[row] if score >= best - ROUNDING]
            call = _pick(calls, f"{seed}/{path.name}/{row}")
            pool.append(Demo(row, dict(call.inputs), call.output, call.reasoning))
            scores[demo_digest(pool[-1])] = best
        pools[path] = tuple(pool)
    return DemoPools(pools, scores)


def _is_demo(call: ModuleCall) -> bool:
    output = call.signature.output
    if not call.shows_demos or call.error or (call.cut and output.open_ended):
        return False
    return output.loads(call.output)  # a type may be written otherwise than it is read


def labelled_demos(runs: Iterable[CaseRun], tests: Mapping[str, TestSpec]) -> DemoPools:
    """Return demos with a call's inputs and the right output from a column of its row, one a row.

    `TestSpec.labels` maps a module, by its name or its function's, to that column. Values that are
    not of the module's output type are skipped, others normalised to it. A call whose reply could
    not be read lends its inputs, too: there a demo teaches most.
    """
    found: dict[Path, dict[str, Demo]] = {}
    for run in runs:
        for call in run.calls if run.case.demo else ():
            column = tests[run.case.test].label_column(call.signature.name, run.case.columns)
            asked = call.unreadable or not call.error  # what the module was given is known
            if column is None or not asked or not call.shows_demos:
                continue
            demo = _labelled(run.case.row, call, run.case.columns[column])
            if demo is not None:
                found.setdefault(call.signature.prompt_path, {}).setdefault(demo.case, demo)
    return DemoPools({path: tuple(rows.values()) for path, rows in found.items()})


def _labelled(row: str, call: ModuleCall, label: object) -> Demo | None:
    output = call.signature.output
    try:
        right = output.dump(output.load(label))
    except OutputParseError:
        return None
    return Demo(row, dict(call.inputs), right) if output.loads(right) else None


def _pick(calls: Sequence[ModuleCall], key: str) -> ModuleCall:
    """Choose one of a row's calls by the key alone, whatever order the calls came in."""
    distinct = {
        json.dumps([dict(call.inputs), call.output], sort_keys=True): call for call in calls
    }
    return distinct[random.Random(key).choice(sorted(distinct))]  # noqa: S311 - a draw, no secret


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)

"""Say why a search found nothing better, and what might help."""

from __future__ import annotations

from pytest_mipro.optimizer.rounds.search_state import SearchState
from pytest_mipro.optimizer.statistics.power import rows_to_detect
from pytest_mipro.runtime.text.number_words import counted

# Programs that differ by less look all alike.
_ALIKE = 0.02


def nothing_better(state: SearchState) -> str:
    """Return why the committed prompts are still the best, what was tried, and what might help."""
    record = state.record
    if state.perfect:
        return f"{state.perfect} under the committed prompts"
    if state.ended and len(record.full) == 1:
        return f"{state.ended}, and no candidate was measured on all validation rows"
    text = "no candidate beat the committed prompts on validation rows"
    means = dict(state.means)
    committed = means.pop(state.candidates.committed)
    if not means:  # none was measured, or all that were cost too much
        return f"{text}; {_hint(state)}"
    best, rows = max(means.values()), len(state.baseline.split.validation)
    score = state.record.assessments[state.candidates.committed].estimate
    believed = f"{committed:.3f} (measured: {score:.3f} on {counted(rows, 'row')})"
    return (
        f"{text}: of {counted(state.tried, 'program')}, made of {_offered(state)}, the best is "
        f"believed to score {best:.3f}, the committed one {believed}; {_hint(state)}"
    )


def _offered(state: SearchState) -> str:
    modules = state.candidates.modules
    instructions = sum(len(module.instructions) - 1 for module in modules)
    sets = [demos for module in modules for demos in module.demo_sets[1:] if demos]
    numbers = sorted({len(demos) for demos in sets})
    fewest = f"{numbers[0]} to " if len(numbers) > 1 else ""
    shown = f" of {fewest}{counted(numbers[-1], 'demo')}" if numbers else ""
    new = counted(instructions, "new instruction")
    return f"{new} and {counted(len(sets), 'demo set')}{shown}"


def _hint(state: SearchState) -> str:
    """Return what to change: the first of these that holds."""
    modules = state.candidates.modules
    if not any(len(module.instructions) > 1 for module in modules) and state.proposals:
        return "no proposal was usable: try another proposer model"
    if not any(any(item.demo_sets) for item in modules) and state.run.settings.has("demos"):
        if not _shows_demos(state):
            return (
                "no prompt has a place for demos: a text needs `{demos}` or `demos_as_messages()`, "
                "a module a .yaml file"
            )
        return "no row passes, so there are no demos: name a column of right outputs in `labels`"
    estimates = [item.estimate for item in state.record.known if item.rows]
    if max(estimates) - min(estimates) < _ALIKE:
        return "all score alike: the model may be at its ceiling here, or the metric too coarse"
    return _rows_wanted(state)


def _shows_demos(state: SearchState) -> bool:
    calls = (call for run in state.baseline.evaluation.runs for call in run.calls)
    return any(call.shows_demos and call.signature.optimize for call in calls)


def _rows_wanted(state: SearchState) -> str:
    """Return with how many validation rows a lift of 0.05 would have shown."""
    enough = rows_to_detect(0.05, state.record.lift_sd)
    have = len(state.baseline.split.validation)
    if enough is None or have >= enough:
        return "more trials may find one: `medium` or `heavy`"
    see = counted(have, "validation row sees", "validation rows see")
    return f"{see} no small lift, {enough:,} would see one of 0.05: add rows"

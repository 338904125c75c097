"""Draw the plan of one study, for `--mipro-dry-run`: no call is made, and nothing is written."""

from __future__ import annotations

from pytest_mipro.optimizer.budget.cost_model import CostModel
from pytest_mipro.optimizer.study.amount import Limits
from pytest_mipro.plugin.config.cache_folder import mipro_folder
from pytest_mipro.plugin.gate.usage_file import default_model, read_usage
from pytest_mipro.plugin.lock.holdout_uses import known_holdout_uses
from pytest_mipro.plugin.lock.lock_file import read_lock
from pytest_mipro.plugin.optimise.inputs.gate_forecast import asked_now
from pytest_mipro.plugin.optimise.inputs.optimizer_inputs import settings_of
from pytest_mipro.plugin.optimise.lines.plan_lines import describe_dry_run
from pytest_mipro.plugin.optimise.screen.labelled_lines import labelled
from pytest_mipro.plugin.optimise.screen.terminal_screen import TerminalScreen
from pytest_mipro.plugin.optimise.study_inputs import StudyInputs, tell_of_rows
from pytest_mipro.plugin.replies.client_stack import run_client
from pytest_mipro.plugin.replies.journal import last_summary, lines_of

_ENDED_BEFORE = (
    "a search of these cases with these options has ended: if prompts, models and scores are as it "
    "left them, the same command asks nothing anew"
)


def plan_study(inputs: StudyInputs, screen: TerminalScreen) -> None:
    """Draw the plan of `--mipro-dry-run`."""
    settings = settings_of(inputs.config, inputs.study)
    lock = read_lock(inputs.key.lock)
    last, usage = last_summary(lines_of(inputs.file("bills"))), read_usage(inputs.file("usage"))
    usage = usage and asked_now(usage, default_model(inputs.config))
    if last and usage and not {part.model for part in usage.modules} <= {*last.get("models", ())}:
        last = None  # its dollars are those of another model
    if last and usage and last.get("cut_short"):
        last = None  # a gate tells as much of the baseline, and what demos add to it
    price = run_client(inputs.config).price
    gate = (usage, CostModel(Limits(), price)) if usage and not last else None
    uses = known_holdout_uses(mipro_folder(inputs.config), inputs.study.name, lock)
    look = uses.earlier + len(uses.finalists) + 1
    tell_of_rows(inputs, screen)
    told = describe_dry_run(inputs.study, settings, lock, last, look, gate)
    if inputs.finished(settings).ended_before:
        told.append(("finished", _ENDED_BEFORE))
    for label, text in told:
        for line in labelled(label, text, screen.width):
            screen.line(line, always=True)

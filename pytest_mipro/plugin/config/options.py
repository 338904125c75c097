"""Command line options and ini keys, parsed once into one frozen `Options`.

Every pytest run imports this file: nothing heavy may be imported here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_mipro.plugin.config import option_checks as checks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pytest_mipro.optimizer.study.settings import Effort
    from pytest_mipro.runtime.client.prices import ModelPrice

Searcher = Literal["tpe", "random"]
GateOn = Literal["all", "holdout"]
RepliesFrom = Literal["auto", "record", "replay", "fresh"]

EFFORTS: tuple[Effort, ...] = ("light", "medium", "heavy")
SEARCHERS: tuple[Searcher, ...] = ("tpe", "random")
GATE_ON: tuple[GateOn, ...] = ("all", "holdout")
REPLIES: tuple[RepliesFrom, ...] = ("auto", "record", "replay", "fresh")
MAX_SEED = 2**32 - 1  # what numpy's generators take


@dataclass(frozen=True)
class Options:
    """What the user asked for; None: not given, the receiver's own default holds.

    `fallback_model` serves modules that name no model: `--mipro-model`, else the environment's
    MIPRO_MODEL, else the ini key. `concurrency` is the number of LM calls in flight, `max_calls`
    bounds distinct LM calls, `max_tokens` and `max_cost` (US dollars) what they take, `max_seconds`
    the time of a study, `case_timeout` (seconds) that of a case; `prices` are those set for models.
    `timeout` is in seconds a call, `max_output_tokens` bounds a reply.
    `parts` are those of the optimiser that are switched on.
    `json` and `markdown` are the absolute paths of report files that can be written; `cache` is the
    absolute path of the reply cache's folder, None its place in `.mipro`. `storage` is where
    processes that share a study meet, a URL that may hold a password; after `storage_patience`
    seconds without a sign of life one of them counts as dead.
    """

    optimize: bool = False
    dry_run: bool = False
    diff: bool = False
    seed: int = 0
    effort: Effort = "light"
    searcher: Searcher = "tpe"
    trials: int | None = None
    concurrency: int = 16
    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost: float | None = None
    max_seconds: float | None = None
    prices: Mapping[str, ModelPrice] = field(default_factory=dict)
    case_timeout: float | None = None
    fallback_model: str | None = None
    proposer_models: tuple[str, ...] | None = None
    teacher_model: str | None = None
    parts: frozenset[str] | None = None
    minibatch_size: int | None = None
    candidates: int | None = None
    max_demos: int | None = None
    max_demo_tokens: int | None = None
    max_prompt_tokens: int | None = None
    max_loss: float | None = None
    max_output_tokens: int | None = None
    max_calls_per_case: int | None = None
    min_holdout: int = 30
    gate_on: GateOn = "all"
    rerun_safe: tuple[str, ...] = ()
    requests_per_minute: int | None = None
    timeout: float | None = None
    api_base: str | None = None
    replies: RepliesFrom = "auto"
    update_lock: bool = False
    strict: bool = False
    json: Path | None = None
    markdown: Path | None = None
    cache: Path | Literal["off"] | None = None
    cache_clear: bool = False
    storage: str | None = None
    storage_patience: float = 30.0


_OPTIONS = pytest.StashKey[Options]()


def add_options(parser: pytest.Parser) -> None:
    """Declare the option group `mipro` and the ini keys; called by `pytest_addoption`."""
    group = parser.getgroup("mipro", "prompt optimisation (pytest-mipro)")
    for name, what in _FLAGS.items():
        group.addoption(name, action="store_true", default=False, help=what)
    for name, (metavar, what) in _VALUES.items():
        # Texts here, checked in options_of: argparse would answer with a page of usage.
        group.addoption(name, default=None, metavar=metavar, help=what)
    for key, (kind, what) in _INI.items():
        parser.addini(key, what, type=kind, default=None)


def options_of(config: pytest.Config) -> Options:
    """Return the options of this run, parsed at the first call.

    The command line beats the ini file. Raises pytest.UsageError (exit code 4), one line with the
    value and the remedy, for a value or a combination that can't be used.
    """
    if _OPTIONS not in config.stash:
        config.stash[_OPTIONS] = _parsed(config)
    return config.stash[_OPTIONS]


_FLAGS = {
    "--mipro-optimize": "Improve the prompts of the marked tests and write prompt files and lock.",
    "--mipro-dry-run": "With --mipro-optimize: print the plan, make no LM call, write nothing.",
    "--mipro-diff": "With --mipro-optimize: show the changes, write nothing.",
    "--mipro-update-lock": "Write the lock from this run's scores, as after a hand edit.",
    "--mipro-strict": "Fail where prompts, modules, cases or models differ from the lock.",
    "--mipro-cache-clear": "Delete the reply cache before the run.",
}
_VALUES = {
    "--mipro-seed": ("N", "Seed of the search (default 0)."),
    "--mipro-effort": ("|".join(EFFORTS), f"Size of the search (default {EFFORTS[0]})."),
    "--mipro-trials": ("N", "Number of trials, instead of the effort's."),
    "--mipro-concurrency": ("N", "LM calls in flight at once (default 16)."),
    "--mipro-max-calls": ("N", "Distinct LM calls at most, cached ones included."),
    "--mipro-max-tokens": ("N", "Tokens of a study's calls at most."),
    "--mipro-max-cost": ("DOLLARS", "US dollars that a study's calls cost at most."),
    "--mipro-max-time": ("SECONDS", "Seconds that a study's optimisation takes at most."),
    "--mipro-model": ("MODEL", "Model of the modules that name none, as provider/name."),
    "--mipro-proposer-model": (
        "MODEL[,MODEL]",
        "Models that write instructions, in turn (default: the modules').",
    ),
    "--mipro-teacher-model": ("MODEL", "Model that answers for the modules where demos are few."),
    "--mipro-parts": ("[no-]PART[,…]", "Parts of the optimiser to switch on or off (docs)."),
    "--mipro-searcher": ("|".join(SEARCHERS), f"How to search (default {SEARCHERS[0]})."),
    "--mipro-storage": ("URL", "Where processes on several machines share a study (docs)."),
    "--mipro-replies": ("|".join(REPLIES), "Where replies come from (docs/ci.md; default auto)."),
    "--mipro-cache": ("PATH|off", "Folder of the reply cache (default .mipro/cache), or none."),
    "--mipro-json": ("FILE", "Write a report for programs (docs/json-report.md)."),
    "--mipro-markdown": ("FILE", "Write a report for a pull-request comment."),
}
_IniType = Literal["string", "int", "float", "args", "bool", "linelist"]
_INI: dict[str, tuple[_IniType, str]] = {
    "mipro_model": ("string", "Model of the modules that name none (MIPRO_MODEL comes first)."),
    "mipro_proposer_model": ("string", "Models that write instructions, with commas between."),
    "mipro_teacher_model": ("string", "Model that answers for the modules where demos are few."),
    "mipro_parts": ("string", "Parts of the optimiser to switch on or off."),
    "mipro_concurrency": ("int", "LM calls in flight at once (default 16)."),
    "mipro_max_calls": ("int", "Distinct LM calls at most, cached ones included."),
    "mipro_max_tokens": ("int", "Tokens of a study's calls at most."),
    "mipro_max_cost": ("float", "US dollars that a study's calls cost at most."),
    "mipro_max_time": ("float", "Seconds that a study's optimisation takes at most."),
    "mipro_prices": ("linelist", "Lines `model PROMPT COMPLETION`: dollars per million tokens."),
    "mipro_case_timeout": ("float", "Seconds that one run of a case may take in optimisation."),
    "mipro_minibatch_size": ("int", "Rows a trial is scored on."),
    "mipro_candidates": (
        "int",
        "New instructions, and demo sets, that a module gets in each round.",
    ),
    "mipro_max_demos": ("int", "Demos a prompt has at most."),
    "mipro_max_demo_tokens": ("int", "Tokens of a prompt's demos at most, by estimate."),
    "mipro_max_prompt_tokens": ("int", "Tokens of a request to a proposer model at most."),
    "mipro_max_loss": ("float", "Score that a cheaper finalist may be estimated to lose."),
    "mipro_max_output_tokens": ("int", "Tokens of a reply at most."),
    "mipro_max_calls_per_case": ("int", "LM calls of one case at most."),
    "mipro_min_holdout": ("int", "Holdout rows that a confirmed decision needs (default 30)."),
    "mipro_gate_on": ("string", "Rows that the gate judges: all (default) or holdout."),
    "mipro_rerun_safe": ("args", "Fixtures that repeated, concurrent calls of a test may share."),
    "mipro_requests_per_minute": ("int", "LM calls to a model at most in any minute."),
    "mipro_timeout": ("float", "Seconds that one LM call may take."),
    "mipro_storage_patience": (
        "float",
        "Seconds after which a process that shares a study counts as dead (default 30).",
    ),
    "mipro_strict": ("bool", "As --mipro-strict."),
    "mipro_replies": ("string", f"Where replies come from: {', '.join(REPLIES)}."),
    "mipro_api_base": ("string", "Address of the endpoint, where it is not the provider's own."),
}
# These say how to optimise. In addopts they are defaults; typed without --mipro-optimize they would
# do nothing in silence.
_OPTIMIZE_ONLY = (
    "--mipro-seed",
    "--mipro-effort",
    "--mipro-trials",
    "--mipro-max-calls",
    "--mipro-max-tokens",
    "--mipro-max-cost",
    "--mipro-max-time",
    "--mipro-proposer-model",
    "--mipro-teacher-model",
    "--mipro-parts",
    "--mipro-searcher",
    "--mipro-storage",
)


def _parsed(config: pytest.Config) -> Options:
    value = _Values(config)
    options = Options(
        optimize=config.getoption("--mipro-optimize"),
        dry_run=config.getoption("--mipro-dry-run"),
        diff=config.getoption("--mipro-diff"),
        seed=value.of("seed", checks.whole(0, MAX_SEED), 0),
        effort=value.of("effort", checks.one_of(EFFORTS), EFFORTS[0]),
        searcher=value.of("searcher", checks.one_of(SEARCHERS), SEARCHERS[0]),
        trials=value.of("trials", checks.whole(1)),
        concurrency=value.of("concurrency", checks.whole(1), 16),
        max_calls=value.of("max_calls", checks.whole(1)),
        max_tokens=value.of("max_tokens", checks.whole(1)),
        max_cost=value.of("max_cost", checks.dollars),
        max_seconds=value.of("max_time", checks.seconds),
        prices=value.of("prices", checks.prices, {}),
        case_timeout=value.of("case_timeout", checks.seconds),
        fallback_model=value.of("model", checks.text, environment="MIPRO_MODEL"),
        proposer_models=value.of("proposer_model", checks.names),
        teacher_model=value.of("teacher_model", checks.text),
        parts=value.of("parts", checks.parts),
        minibatch_size=value.of("minibatch_size", checks.whole(1)),
        candidates=value.of("candidates", checks.whole(1)),
        max_demos=value.of("max_demos", checks.whole(0)),
        max_demo_tokens=value.of("max_demo_tokens", checks.whole(1)),
        max_prompt_tokens=value.of("max_prompt_tokens", checks.whole(500)),
        max_loss=value.of("max_loss", checks.share),
        max_output_tokens=value.of("max_output_tokens", checks.whole(1)),
        max_calls_per_case=value.of("max_calls_per_case", checks.whole(1)),
        min_holdout=value.of("min_holdout", checks.whole(2), 30),
        gate_on=value.of("gate_on", checks.one_of(GATE_ON), GATE_ON[0]),
        rerun_safe=value.of("rerun_safe", tuple, ()),
        requests_per_minute=value.of("requests_per_minute", checks.whole(1)),
        timeout=value.of("timeout", checks.seconds),
        api_base=value.of("api_base", checks.address),
        replies=value.of("replies", checks.one_of(REPLIES), REPLIES[0]),
        update_lock=config.getoption("--mipro-update-lock"),
        strict=config.getoption("--mipro-strict") or value.of("strict", bool, False),
        json=value.of("json", checks.report_file(config)),
        markdown=value.of("markdown", checks.report_file(config)),
        cache=value.of("cache", checks.cache_place(config)),
        cache_clear=config.getoption("--mipro-cache-clear"),
        storage=value.of("storage", checks.storage, environment="MIPRO_STORAGE_URL"),
        storage_patience=value.of("storage_patience", checks.seconds, 30.0),
    )
    _refuse_combinations(config, options)
    return options


class _Values:
    """HoldoutUses a setting up on the command line, in the environment and in the ini file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def of(
        self, name: str, check: Callable[[Any], Any], default: Any = None, environment: str = ""
    ) -> Any:
        """Return the checked value of the first place that gives one, else the default."""
        option, key = f"--mipro-{name.replace('_', '-')}", f"mipro_{name}"
        if option in _VALUES and self._config.getoption(option) is not None:
            return self._checked(option, check, self._config.getoption(option))
        if environment and os.environ.get(environment):
            return self._checked(environment, check, os.environ[environment])
        if key in _INI and (given := self._ini(key)) is not None:
            return self._checked(key, check, given)
        return default

    def _ini(self, key: str) -> Any:
        try:
            return self._config.getini(key)
        except (ValueError, TypeError, pytest.UsageError) as error:  # the version decides which
            what = {"int": "a whole number", "float": "a number", "bool": "true or false"}.get(
                _INI[key][0], _INI[key][0]
            )
            raise pytest.UsageError(
                f"ini key {key} must be {what}: {' '.join(str(error).split())}"
            ) from None

    def _checked(self, place: str, check: Callable[[Any], Any], value: Any) -> Any:
        try:
            return check(value)
        except ValueError as error:
            from pytest_mipro.runtime.text.redaction import (  # noqa: PLC0415 - errors only
                one_line,
                url_secrets,
            )

            kind = "ini key " if place in _INI else ""
            # An address without its scheme is refused for that, and may hold a password still.
            got = one_line(repr(value), secrets=tuple(url_secrets(f"http://{value}")))
            raise pytest.UsageError(f"{kind}{place} must be {error}, got {got}") from None


def _refuse_combinations(config: pytest.Config, options: Options) -> None:
    if options.json is not None and options.json == options.markdown:
        raise pytest.UsageError(
            f"--mipro-json and --mipro-markdown name one file, {options.json}; give each its own"
        )
    if options.cache_clear and options.cache == "off":
        raise pytest.UsageError(
            "--mipro-cache=off leaves nothing to clear; drop --mipro-cache-clear"
        )
    if not options.optimize:
        _refuse_without_optimize(config, options)
        return
    if options.dry_run and options.cache_clear:
        raise pytest.UsageError("--mipro-dry-run changes nothing; drop it or --mipro-cache-clear")
    if options.update_lock:
        raise pytest.UsageError(
            "--mipro-optimize writes the lock itself; drop --mipro-update-lock, which locks the "
            "scores of the prompts as they are"
        )
    if options.replies in ("record", "replay"):
        raise pytest.UsageError(
            f"--mipro-optimize asks for new replies and can't run with mipro-replies "
            f"{options.replies!r}; optimise with --mipro-replies=auto, record afterwards"
        )
    if options.storage is not None and options.replies == "fresh":
        raise pytest.UsageError(
            "--mipro-storage goes on from the results that it holds, and --mipro-replies=fresh "
            "asks anew; drop one of them"
        )
    limited = options.max_tokens is not None or options.max_cost is not None
    if options.storage is not None and limited:
        raise pytest.UsageError(
            "--mipro-storage shares out calls, and no limit of tokens or money; "
            "limit --mipro-max-calls instead"
        )
    if options.dry_run and options.diff:
        raise pytest.UsageError(
            "--mipro-dry-run makes no LM call and has no diff to show; drop it or --mipro-diff"
        )
    if config.getoption("dist", "no") != "no" and config.getoption("tx", None):
        raise pytest.UsageError(
            "--mipro-optimize runs in one process and can't be distributed by pytest-xdist "
            f"(--dist={config.getoption('dist')}); add -n 0, and set --mipro-concurrency for speed"
        )
    if config.getoption("assertmode", "rewrite") == "plain":
        raise pytest.UsageError(
            "--mipro-optimize needs the text of failed assertions as feedback, and --assert=plain "
            "leaves it out; drop --assert=plain"
        )


def _refuse_without_optimize(config: pytest.Config, options: Options) -> None:
    asked = [name for name, on in (("dry-run", options.dry_run), ("diff", options.diff)) if on]
    typed = {str(argument).partition("=")[0] for argument in config.invocation_params.args}
    for option in (*(f"--mipro-{name}" for name in asked), *sorted(typed & set(_OPTIMIZE_ONLY))):
        raise pytest.UsageError(
            f"{option} has no meaning without --mipro-optimize; add that option"
        )

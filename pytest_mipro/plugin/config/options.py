"""The table of settings: options, ini keys and environment variables, parsed into `Options`.

Every pytest run imports this file: it imports nothing that pytest has not.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from pytest_mipro.pages import DOCS
from pytest_mipro.plugin.config import option_checks as checks
from pytest_mipro.plugin.config.setting import Kind, Setting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_mipro.optimizer.study.settings import Accept, Effort
    from pytest_mipro.runtime.client.prices import ModelPrice

GateOn = Literal["all", "holdout"]
RepliesFrom = Literal["auto", "record", "replay", "fresh"]
Only = Literal["instructions", "demos"]

ACCEPT: tuple[Accept, ...] = ("better", "likely")
EFFORTS: tuple[Effort, ...] = ("light", "medium", "heavy")
GATE_ON: tuple[GateOn, ...] = ("all", "holdout")
REPLIES: tuple[RepliesFrom, ...] = ("auto", "record", "replay", "fresh")
ONLY: tuple[Only, ...] = ("instructions", "demos")
MAX_SEED = 2**32 - 1  # what numpy's generators take

T = TypeVar("T")


def _choice(choices: tuple[T, ...]) -> Kind[T]:
    return Kind(checks.one_of(choices), "|".join(map(str, choices)))


FLAG = Kind(bool, "", "bool")
_COUNT = Kind(checks.whole(1), "N", "int")
_SECONDS = Kind(checks.above_zero("seconds"), "SECONDS", "float")
_MODEL = Kind(checks.model, "MODEL")
_NAMES: Kind[tuple[str, ...]] = Kind(tuple, "", "args")
_FILE = Kind(checks.report_file, "FILE", path=True)
_OWN_ROOM = "4,000; of a model that reasons, 16,000"
_NO_LIMIT = "no limit"
_NO_PRICES: Mapping[str, ModelPrice] = {}


class Options:
    """What the user asked for; a setting that is not given has the default of its row.

    None: the receiver's own default holds. Paths are absolute. `storage` may hold a password.
    """

    optimize = FLAG.option(
        False, "Improve the prompts of the marked tests; write prompt files and lock.", "off"
    )
    dry_run = FLAG.option(
        False, "With --mipro-optimize: print the plan, make no LM call, write nothing.", "off"
    )
    diff = FLAG.option(False, "With --mipro-optimize: show the changes, write nothing.", "off")
    seed = Kind(checks.whole(0, MAX_SEED), "N").option(
        0, f"Seed of the search, 0 to {MAX_SEED}.", search=True
    )
    effort = _choice(EFFORTS).option(EFFORTS[0], "Size of the search.", search=True)
    only = _choice(ONLY).both(None, "Search only instructions, or only demos.", "both", search=True)
    trials = _COUNT.option(
        None,
        "Total number of trials; one of a late module alone counts less.",
        "the effort's",
        search=True,
    )
    concurrency = _COUNT.both(16, "Maximum LM calls in flight at once.")
    accept = _choice(ACCEPT).option(
        ACCEPT[0],
        "Finalists to write: better ones, or also those that are likely better, or that too few "
        "rows decide on.",
        search=True,
    )
    max_calls = _COUNT.both(
        None, "Maximum distinct LM calls of a study, including cached ones.", _NO_LIMIT, search=True
    )
    max_tokens = _COUNT.both(None, "Maximum tokens of a study's calls.", _NO_LIMIT, search=True)
    max_cost = Kind(checks.above_zero("US dollars"), "DOLLARS", "float").both(
        None, "Maximum cost of a study's calls in US dollars.", _NO_LIMIT, search=True
    )
    max_time = _SECONDS.both(
        None, "Maximum seconds that a study's optimisation may take.", _NO_LIMIT, search=True
    )
    prices = Kind(checks.prices, "", "linelist").ini_key(
        _NO_PRICES,
        "Prices that litellm lacks or has wrong: one line per model with its US dollars per "
        "million prompt and completion tokens, such as my/model 0.5 1.5.",
        "litellm's table",
    )
    case_timeout = _SECONDS.ini_key(
        None,
        "Maximum seconds of one run of a case in optimisation; beyond that, it scores 0 and its "
        "further calls are refused.",
        _NO_LIMIT,
    )
    model = _MODEL.both(
        None,
        "Model of the modules that name none, as provider/name; the variable MIPRO_MODEL "
        "overrides the ini key.",
        "none",
        environment="MIPRO_MODEL",
    )
    proposer_model = Kind(checks.models, "MODEL[,MODEL]").both(
        None, "Models that write instructions; several take turns.", "the modules'", search=True
    )
    teacher_model = _MODEL.both(
        None,
        "Model that answers for the modules while demos are gathered: a stronger one solves cases "
        "that theirs can't.",
        "none",
        search=True,
    )
    minibatch_size = _COUNT.ini_key(None, "Rows that a trial is scored on.", "12")
    candidates = _COUNT.ini_key(
        None, "New instructions, and as many new demo sets, per module and round.", "the effort's"
    )
    max_demos = Kind(checks.whole(0), "N", "int").ini_key(
        None, "Maximum demos of a prompt; 0 searches only instructions.", "what the tokens hold"
    )
    max_demo_tokens = _COUNT.ini_key(
        None,
        "Maximum tokens of a prompt's demos, by the tokens a byte of the baseline.",
        "4000",
    )
    max_output_tokens = _COUNT.ini_key(None, "Maximum tokens of a reply.", _OWN_ROOM)
    max_calls_per_case = _COUNT.ini_key(
        None,
        "Maximum LM calls of one case; beyond that, the case scores 0.",
        "no limit; in optimisation five times the most that the baseline needed",
    )
    min_holdout = Kind(checks.whole(2), "N", "int").ini_key(
        30, "Holdout rows that a confirmed decision needs; with fewer, they join validation."
    )
    gate_on = _choice(GATE_ON).ini_key(
        GATE_ON[0],
        "Rows that the gate judges: all, or holdout for those that the search never used.",
    )
    rerun_safe = _NAMES.ini_key(
        (), "Fixtures that repeated, concurrent calls of a test may share.", "none"
    )
    requests_per_minute = _COUNT.ini_key(
        None, "Maximum LM calls per minute of this process to one model, evenly spaced.", _NO_LIMIT
    )
    timeout = _SECONDS.ini_key(None, "Maximum seconds of one attempt of an LM call.", "60")
    api_base = Kind(checks.address, "URL").ini_key(
        None, "Address of the endpoint, such as http://localhost:8000/v1.", "the provider's"
    )
    lm_addresses = Kind(checks.address_patterns, "", "linelist").ini_key(
        (),
        "Addresses of LM calls besides the known ones, one HOST/PATH per line, with * for "
        "anything; a line that begins with ! takes addresses out (docs/own-client.md).",
        "none",
    )
    allowed_hosts = _NAMES.ini_key(
        (), "Hosts that cases may connect to though --mipro-replies=replay is offline.", "none"
    )
    replies = _choice(REPLIES).both(REPLIES[0], "Where replies come from (docs/ci.md).")
    cache = Kind(checks.cache_place, "PATH|off", path=True).option(
        None, "Folder of the reply cache, or off to keep replies only in memory.", ".mipro/cache"
    )
    storage = Kind(checks.storage, "URL").option(
        None,
        "Storage through which several machines share a study (docs/several-machines.md).",
        "MIPRO_STORAGE_URL, else none",
        environment="MIPRO_STORAGE_URL",
        search=True,
    )
    update_lock = FLAG.option(
        False,
        "In a plain run of whole studies: write the lock from its scores, for example after a hand "
        "edit of a prompt.",
        "off",
    )
    show = FLAG.option(
        False,
        "In a plain run: print each LM call of the cases, with messages and replies "
        "(docs/writing-tests.md).",
        "off",
    )
    report = FLAG.option(
        False,
        "In a plain run: write a report page of each study, as an optimisation does "
        "(docs/report.md).",
        "off",
    )
    strict = FLAG.both(
        False, "Fail if prompts, modules, cases or models differ from the lock.", "off"
    )
    json = _FILE.option(None, "Write a JSON report (docs/json-report.md).", "none")
    markdown = _FILE.option(None, "Write a Markdown report for a pull request comment.", "none")

    def __init__(self, **given: Any) -> None:
        vars(self).update(given)


SETTINGS: tuple[Setting[Any], ...] = tuple(
    row for row in vars(Options).values() if isinstance(row, Setting)
)
_OPTIONS = pytest.StashKey[Options]()
_INI_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "args": "a list of texts",
    "linelist": "a list of texts",
}
_NUMBERS_SINCE = (8, 4)  # older versions of pytest know no numbers in ini files, only their texts


def add_options(parser: pytest.Parser) -> None:
    """Declare the option group `mipro` and the ini keys; called by `pytest_addoption`."""
    # The one text of a group's help that no terminal is too narrow for: it is never wrapped.
    group = parser.getgroup("mipro", f"prompt optimisation (pytest-mipro; docs/: {DOCS})")
    for row in SETTINGS:
        text = f"{row.text} (default: {row.shown_default})"
        if row.option and row.kind is FLAG:
            group.addoption(row.option, action="store_const", const=True, help=row.text)
        elif row.option:
            # Texts, checked in options_of: argparse would answer with a page of usage.
            group.addoption(row.option, metavar=row.kind.metavar, help=text)
        if row.key:
            kind: Any = row.kind.ini
            if kind in {"int", "float"} and pytest.version_tuple < _NUMBERS_SINCE:
                kind = "string"
            parser.addini(row.key, f"As {row.option}." if row.option else text, kind, None)


def options_of(config: pytest.Config) -> Options:
    """Return the options of this run, parsed at the first call.

    The command line beats the environment, and the environment beats the ini file. Raises
    pytest.UsageError (exit code 4), one line with the value and the rule, for a value that can't be
    used.
    """
    if _OPTIONS not in config.stash:
        given = {row.name: value for row in SETTINGS if (value := _given(config, row)) is not None}
        config.stash[_OPTIONS] = Options(**given)
    return config.stash[_OPTIONS]


def is_verbose(config: pytest.Config) -> bool:
    """Return whether `-v` was given; under `-p no:terminal` older versions of pytest can't tell."""
    return bool(config.getoption("verbose", 0) > 0)


def _given(config: pytest.Config, row: Setting[Any]) -> Any:
    """Return the checked value of the first place that gives one, None without any."""
    if row.option and (value := config.getoption(row.option)) is not None:
        return _checked(config, row, row.option, value)
    if row.environment and (value := os.environ.get(row.environment)):
        return _checked(config, row, row.environment, value)
    if row.key and (value := _ini_value(config, row)) is not None:
        return _checked(config, row, f"ini key {row.key}", value)
    return None


def _ini_value(config: pytest.Config, row: Setting[Any]) -> Any:
    try:
        return config.getini(row.key)
    except (ValueError, TypeError, pytest.UsageError) as error:  # the version decides which
        rule = _INI_TYPES.get(row.kind.ini, row.kind.ini)
        raise pytest.UsageError(
            f"ini key {row.key} must be {rule}: {' '.join(str(error).split())}"
        ) from None


def _checked(config: pytest.Config, row: Setting[Any], place: str, value: Any) -> Any:
    folder = (config.invocation_params.dir,) if row.kind.path else ()
    try:
        return row.kind.check(value, *folder)
    except ValueError as error:
        raise pytest.UsageError(f"{place} must be {error}, got {checks.shown(value)}") from None

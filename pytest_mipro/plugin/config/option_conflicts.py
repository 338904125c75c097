"""Combinations of settings that are refused: each a condition, and the message for the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_mipro.plugin.config.options import SETTINGS, options_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_mipro.plugin.config.options import Options

    Conflict = tuple[Callable[[Options, Callable[[str], object]], bool], str]

# The conditions also get a look-up of other plugins' options, None where there is no such plugin.
_ALWAYS: tuple[Conflict, ...] = (
    (
        lambda given, _: given.json is not None and given.json == given.markdown,
        "--mipro-json and --mipro-markdown name the same file, {given.json}; use two files",
    ),
)
_OPTIMIZING: tuple[Conflict, ...] = (
    (
        lambda given, _: given.update_lock,
        (
            "--mipro-optimize writes the lock itself; drop --mipro-update-lock, which locks the "
            "scores of the prompts as they are"
        ),
    ),
    (
        lambda given, _: given.show,
        (
            "--mipro-optimize runs each case many times and shows none of them; drop --mipro-show, "
            "or use it in a plain run of some cases (-k)"
        ),
    ),
    (
        lambda given, _: given.replies in ("record", "replay"),
        (
            "--mipro-optimize asks for new replies and can't run with mipro-replies "
            "{given.replies!r}; optimise with --mipro-replies=auto, record afterwards"
        ),
    ),
    (
        lambda given, _: given.storage is not None and given.replies == "fresh",
        (
            "--mipro-storage resumes from the results that it holds, and --mipro-replies=fresh "
            "requests them again; drop one of them"
        ),
    ),
    (
        lambda given, _: given.storage is not None and bool(given.max_tokens or given.max_cost),
        (
            "--mipro-storage shares out only a limit of calls, not of tokens or money; limit "
            "--mipro-max-calls instead"
        ),
    ),
    (
        lambda given, _: given.dry_run and given.diff,
        "--mipro-dry-run makes no LM call and has no diff to show; drop it or --mipro-diff",
    ),
    (
        lambda given, _: given.only == "demos" and given.max_demos == 0,
        "--mipro-only=demos leaves nothing to search with mipro_max_demos = 0; drop one of them",
    ),
    (
        lambda _, other: other("dist") not in (None, "no") and bool(other("tx")),
        (
            "--mipro-optimize runs in one process and can't be distributed by pytest-xdist "
            "(--dist={dist}); add -n 0, and set --mipro-concurrency for speed"
        ),
    ),
    (
        lambda _, other: other("assertmode") == "plain",
        (
            "--mipro-optimize needs the text of failed assertions as feedback, and --assert=plain "
            "leaves it out; drop --assert=plain"
        ),
    ),
)


def refuse_conflicts(config: pytest.Config) -> None:
    """Raise pytest.UsageError, one line with the remedy, for settings that exclude each other."""
    given = options_of(config)

    def other(name: str) -> object:
        return config.getoption(name, None)

    if not given.optimize:
        _refuse_search_settings(config, given)
    for condition, message in (*_ALWAYS, *(_OPTIMIZING if given.optimize else ())):
        if condition(given, other):
            raise pytest.UsageError(message.format(given=given, dist=other("dist")))


def _refuse_search_settings(config: pytest.Config, given: Options) -> None:
    """Refuse what would do nothing without `--mipro-optimize`; in addopts it is a default."""
    typed = {str(argument).partition("=")[0] for argument in config.invocation_params.args}
    flags = [name for name, on in (("dry-run", given.dry_run), ("diff", given.diff)) if on]
    asked = [f"--mipro-{name}" for name in flags]
    asked += sorted(row.option for row in SETTINGS if row.search and row.option in typed)
    if asked:
        raise pytest.UsageError(
            f"{asked[0]} has no meaning without --mipro-optimize; add that option"
        )

"""Hold the process-wide settings of module calls, and choose the model and variant of a call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_mipro.errors import ConfigurationError, UsageError
from pytest_mipro.runtime.client.contract import LMClient
from pytest_mipro.runtime.client.forks import ProcessLock
from pytest_mipro.runtime.signature.signature import Signature, is_variant


@dataclass(frozen=True)
class Settings:
    """The values that `configure` sets; `fallback_model` is that of `--mipro-model` or ini."""

    model: str | None = None
    models: Mapping[str, str] = field(default_factory=dict)
    client: LMClient | None = None
    max_output_tokens: int | None = None
    require_prompts: bool = False
    fallback_model: str | None = None
    variant: str = ""


_settings = Settings()
_changing = ProcessLock()
_variant: ContextVar[str | None] = ContextVar("mipro_variant", default=None)


def current_settings() -> Settings:
    """Return the settings in force."""
    return _settings


def replace_settings(settings: Settings) -> Settings:
    """Put these settings in force and return the previous ones."""
    global _settings
    with _changing:
        before, _settings = _settings, settings
        return before


def configure(
    *,
    model: str | None = None,
    models: Mapping[Any, str] | None = None,
    client: LMClient | None = None,
    max_output_tokens: int | None = None,
    require_prompts: bool | None = None,
    variant: str | None = None,
) -> None:
    """Set defaults for all module calls of this process; values not given stay as they are.

    `model` is for modules whose decorator names none; `models` maps a module (the function, or
    its name `<source stem>.<function>`) to its model and beats the decorator. `client` replaces
    the live client. `max_output_tokens` bounds each reply. With `require_prompts=True` a missing
    prompt file is an error instead of falling back to the docstring. `variant` names the prompts
    to use, as "acme" does `triage@acme.yaml` ("": the plain ones). Raises ConfigurationError.
    """
    global _settings  # noqa: PLW0603 - one setting a process is the purpose of this file
    _check_values(model, client, max_output_tokens, require_prompts)
    if variant:
        check_variant(variant, "configure(variant=…)")
    given = {
        "model": model,
        "models": None if models is None else _models(models),
        "client": client,
        "max_output_tokens": max_output_tokens,
        "require_prompts": require_prompts,
        "variant": variant,
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with _changing:  # of two threads, each keeps what the other sets
        _settings = replace(_settings, **changes)


def _check_values(model: Any, client: Any, max_output_tokens: Any, require_prompts: Any) -> None:
    if model is not None:
        check_model(model, "configure(model=…)")
    if client is not None and (isinstance(client, type) or not isinstance(client, LMClient)):
        raise ConfigurationError(
            f"configure(client=…): {client!r:.60} is not an LM client; it needs the methods "
            "`complete`, `endpoint` and `aclose` of pytest_mipro.extending.LMClient"
        )
    limit = max_output_tokens
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigurationError(
            f"configure(max_output_tokens=…) must be a whole number from 1 up, not {limit!r:.60}"
        )
    if require_prompts is not None and not isinstance(require_prompts, bool):
        raise ConfigurationError(
            f"configure(require_prompts=…) must be True or False, not {require_prompts!r:.60}"
        )


def check_model(model: Any, where: str, error: type[UsageError] = ConfigurationError) -> None:
    """Raise `error`, which begins with `where`, for a model that is not a name."""
    if not isinstance(model, str) or not model.strip():
        raise error(f"{where}: the model must be a name such as 'openai/gpt-4o', not {model!r:.60}")


def check_variant(name: Any, where: str, error: type[UsageError] = ConfigurationError) -> None:
    """Raise `error`, which begins with `where`, for a text that can't name a variant."""
    if not is_variant(name):
        raise error(
            f"{where}: a variant is part of a file's name: at most 64 letters, digits, '_', '.' "
            f"and '-', the first a letter or digit, not {name!r:.80}"
        )


@contextmanager
def variant(name: str | None) -> Iterator[None]:
    """Use the prompts of a variant, in this thread or task, for the block: of a tenant, a language.

    With "acme", the module of `prompts/triage.yaml` reads `prompts/triage@acme.yaml`, and a module
    without such a file its plain one; None means the plain prompts. The innermost block decides,
    and `using(variant=…)` beats it. Raises ConfigurationError for a name that can't be a file's.
    """
    if name:
        check_variant(name, "variant(…)")
    token = _variant.set(name or "")
    try:
        yield
    finally:
        _variant.reset(token)


def current_variant() -> str:
    """Return the variant in force: of the block, else of `configure`; "" is the plain prompts."""
    chosen = _variant.get()
    return _settings.variant if chosen is None else chosen


def _models(models: Any) -> dict[str, str]:
    if not isinstance(models, Mapping):
        raise ConfigurationError(
            f"configure(models=…) must map modules to model names, not {models!r:.60}"
        )
    for model in models.values():
        check_model(model, "configure(models=…)")
    return {_name(module): model for module, model in models.items()}


def _name(module: Any) -> str:
    name = module if isinstance(module, str) else getattr(module, "signature", None)
    name = getattr(name, "name", name)
    if not isinstance(name, str) or "." not in name:
        raise ConfigurationError(
            f"configure(models=…): {module!r:.60} is neither an LM module nor the name of one, "
            "`<source stem>.<function>`"
        )
    return name


def resolve_model(
    signature: Signature, call: str | None, decorator: str | None, case: str | None = None
) -> str:
    """Return the model of a call: call, `models`, decorator, case, `model`, run, `MIPRO_MODEL`.

    `case` is the one that a marked test gives its cases. Raises ConfigurationError where none is
    set.
    """
    candidates = (
        call,
        _settings.models.get(signature.name),
        decorator,
        case,
        _settings.model,
        _settings.fallback_model,
        os.environ.get("MIPRO_MODEL"),
    )
    model = next((candidate for candidate in candidates if candidate), None)
    if model is None:
        raise ConfigurationError(
            f"LM module {signature.name!r} has no model; set MIPRO_MODEL=provider/name, ini "
            '`mipro_model`, or `pytest_mipro.configure(model="provider/name")`'
        )
    return model

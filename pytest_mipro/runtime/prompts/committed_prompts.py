"""Read the committed prompt of each module, once a process: its file, else its docstring."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from glob import escape
from pathlib import Path

from pytest_mipro.errors import PromptFileError
from pytest_mipro.runtime.client.forks import ProcessLock
from pytest_mipro.runtime.prompts.placeholders import warn_of_placeholders
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import SCHEMA_VERSION, holds_demos, read_prompt
from pytest_mipro.runtime.settings import current_settings
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN, Signature, is_variant
from pytest_mipro.runtime.signature.text_signature import TextSignature

_committed: dict[tuple[Path, str], Prompt | None] = {}
_committed_lock = ProcessLock()


def committed_prompt(signature: Signature) -> Prompt:
    """Return the module's prompt: its file, else its docstring; each file is read once a process.

    A variant without a file has the plain module's. Raises PromptFileError for a bad file, and for
    a missing one where prompts are required.
    """
    key = (signature.prompt_path, signature.name)
    with _committed_lock:
        first = key not in _committed
        if first:
            _committed[key] = read_if_there(signature)
        prompt = _committed[key]
    if prompt is None and signature.plain is not None:
        return committed_prompt(signature.plain)
    used = _first_prompt(signature) if prompt is None else prompt
    if first and not isinstance(signature, TextSignature):
        warn_of_placeholders(used, signature, from_file=prompt is not None)
    return used


def with_variants(signature: Signature) -> Iterator[Signature]:
    """Yield the module, and each variant of it that has a prompt file."""
    yield signature
    path = signature.prompt_path
    head = f"{path.stem}{VARIANT_SIGN}"
    for file in sorted(path.parent.glob(f"{escape(head)}*{path.suffix}")):
        name = file.name.removeprefix(head).removesuffix(path.suffix)
        if is_variant(name):
            yield signature.of_variant(name)


def forget_committed_prompts() -> None:
    """Drop the prompts read so far: files are read again at their next use."""
    with _committed_lock:
        _committed.clear()


def read_if_there(signature: Signature) -> Prompt | None:
    """Return the prompt in the module's file, None without a file; raises PromptFileError."""
    try:
        return read_prompt(signature.prompt_path, signature)
    except PromptFileError as error:
        if isinstance(error.__cause__, (FileNotFoundError, NotADirectoryError)):
            return None
        raise


def _first_prompt(signature: Signature) -> Prompt:
    required = signature.prompt_required or current_settings().require_prompts
    if required or not signature.instruction:
        keys = f"`schema_version: {SCHEMA_VERSION}`, `module: {signature.name}`, `instruction: …`"
        content = keys if holds_demos(signature.prompt_path) else "the text of the instruction"
        raise PromptFileError(
            f"{signature.prompt_path}:1: the prompt file of {signature.name!r} is missing; commit "
            f"it ({content}){'' if required else _dropped_docstring()}"
        )
    return Prompt(signature.instruction)


def _dropped_docstring() -> str:
    return (
        ", or run without -OO (PYTHONOPTIMIZE=2), which drops docstrings"
        if sys.flags.optimize > 1
        else ""
    )

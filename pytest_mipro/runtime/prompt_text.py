"""`prompt_text`: an optimisable text for a pipeline that calls its models with a client of its own.

In a case the text is the candidate's, and the case's trace remembers what was made of it: the call
whose request holds it is the text's.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.calls.context import CallContext, current_context, remembering
from pytest_mipro.runtime.calls.rendered_texts import Rendering
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.placeholders import joined
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import check_prompt_path
from pytest_mipro.runtime.prompts.render import says_demos, text_parts
from pytest_mipro.runtime.settings import current_variant
from pytest_mipro.runtime.signature.text_signature import TextSignature, text_signature
from pytest_mipro.runtime.text.files import packed


class PromptText:
    """An optimisable text, made by `prompt_text`; `str(text)` is what goes into a message."""

    def __init__(self, signature: TextSignature) -> None:
        self.signature = signature

    def __str__(self) -> str:
        """Return the text with its placeholders as they stand; raises PromptFileError."""
        with self._in_context() as context:
            parts = pieces, names = self._parts(context)
            _remember(context, Rendering(self._asked(), *parts, {}, self._holds_demos(context)))
        return joined(pieces, names, {})

    def format(self, /, **values: object) -> str:
        """Return the text with a value, as `str` gives it, in place of each placeholder.

        Braces of anything else, as of JSON, stay, and so do those in a value. Raises
        ModuleCallError for a missing or unknown name, PromptFileError for a bad file.
        """
        texts = {name: str(value) for name, value in values.items()}
        with self._in_context() as context:
            pieces, names = self._parts(context)
            self._check_names(texts, names)
            whole = joined(pieces, names, texts)
            shows_demos = self._holds_demos(context)
            _remember(context, Rendering(self._asked(), (whole,), (), texts, shows_demos))
        return whole

    def demos_as_messages(self) -> list[dict[str, str]]:
        """Return the demos as user and assistant messages, for between the text and the question.

        A row of a test is never shown a demo that was taken from itself.
        """
        with self._in_context() as context:
            demos = self._prompt(context).demos
            if context is not None and context.trace is not None:
                context.trace.texts.note_messages(self._asked())
        return [
            {"role": role, "content": content}
            for demo in demos
            for role, content in (
                ("user", self.signature.user_text(demo.inputs)),
                ("assistant", self.signature.output.reply_text(demo.output, None)),
            )
        ]

    @property
    def placeholders(self) -> tuple[str, ...]:
        """The names that `format` takes, in the order of the text."""
        with self._in_context() as context:
            return tuple(dict.fromkeys(self._parts(context)[1]))

    def __repr__(self) -> str:
        return f"<{self.signature.title}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _text_at, (str(self.signature.prompt_path), self.signature.optimize)

    @contextmanager
    def _in_context(self) -> Iterator[CallContext | None]:
        """Yield the running context; the case's trace remembers an error of the block."""
        context = current_context(self.signature.name)
        with remembering(context.trace if context else None):
            yield context

    def _asked(self) -> TextSignature:
        """Return the text as it is used here and now: its variant, or the plain one."""
        return self.signature.of_variant(current_variant())

    def _parts(self, context: CallContext | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return text_parts(self._asked(), self._prompt(context))

    def _holds_demos(self, context: CallContext | None) -> bool:
        return says_demos(self._prompt(context))

    def _prompt(self, context: CallContext | None) -> Prompt:
        signature = self._asked()
        prompt = context.prompts.get(signature.prompt_path) if context else None
        used = prompt or committed_prompt(signature)
        return used.without(context.row if context else None, {})

    def _check_names(self, given: Mapping[str, str], wanted: tuple[str, ...]) -> None:
        missing = [name for name in dict.fromkeys(wanted) if name not in given]
        unknown = [name for name in given if name not in wanted]
        if missing or unknown:
            what = f"no value for {_shown(missing)}" if missing else f"no {_shown(unknown)} in it"
            raise ModuleCallError(
                f"{self.signature.where}: format(…): {what}; its placeholders are "
                f"{_shown(tuple(dict.fromkeys(wanted))) or 'none'}"
            )


def _remember(context: CallContext | None, rendering: Rendering) -> None:
    if context is not None and context.trace is not None:
        context.trace.texts.add(rendering)


def _shown(names: list[str] | tuple[str, ...]) -> str:
    return ", ".join(f"{{{name}}}" for name in names)


def prompt_text(path: str, *, optimize: bool = True) -> PromptText:
    """Return the optimisable text of a prompt file, for messages that the pipeline sends itself.

    `path` is relative to the file that calls this, a `.md`, `.txt` or `.yaml`. Demos stand in the
    place of `{demos}`, or come from `demos_as_messages`. The file is read once, at the first use.
    `optimize=False` freezes the text, as a judge's. Raises ModuleDefinitionError for a path that is
    none, or where no file is.
    """
    caller = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller
    file = caller.f_code.co_filename
    where = f"{file}:{caller.f_lineno}: prompt_text"
    check_prompt_path(path, where)
    folder = Path() if file.startswith("<") else Path(file).parent
    found = (folder / path).resolve()
    if not found.is_file() and packed(found) is None:
        raise ModuleDefinitionError(f"{where}: there is no file {found}; write the text into it")
    return PromptText(text_signature(found, optimize=optimize, user=caller.f_globals))


def _text_at(path: str, optimize: bool) -> PromptText:
    return PromptText(text_signature(Path(path), optimize=optimize))

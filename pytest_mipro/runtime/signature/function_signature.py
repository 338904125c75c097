"""Build the signature of an LM module from a typed Python function."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.signature.answers.reply_text import normalise_instruction
from pytest_mipro.runtime.signature.definition import check_annotations, check_body, check_shape
from pytest_mipro.runtime.signature.inputs.input_types import InputTypes, resolved
from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat
from pytest_mipro.runtime.signature.outputs.output_type import UnresolvedTypeError, output_format
from pytest_mipro.runtime.signature.signature import Signature, note_defined
from pytest_mipro.runtime.text.files import packed
from pytest_mipro.runtime.text.merge_conflict import CONFLICT, conflict_line


@dataclass(frozen=True, eq=False)
class FunctionSignature(Signature):
    """The signature of an LM module: `function` is the decorated one, `instruction` its docstring.

    `name` is `<source stem>.<function>`. With `reasoning` the model is asked for its reasoning
    first.
    """

    function: Callable[..., Any] = field(kw_only=True)

    @property
    def source(self) -> tuple[str, int]:
        """The file and line of the function; a module imported under two names is still one."""
        code = self.function.__code__
        return str(Path(code.co_filename).resolve()), code.co_firstlineno

    @property
    def is_in_use(self) -> bool:
        """Whether the function's file was not imported afresh since."""
        module = sys.modules.get(self.function.__module__)
        return module is not None and vars(module) is self.function.__globals__

    @property
    def is_made(self) -> bool:
        """Whether a function makes such modules, all of one name."""
        return "<locals>" in self.function.__qualname__

    @property
    def is_async(self) -> bool:
        """Whether the module is awaited."""
        return inspect.iscoroutinefunction(self.function)

    @cached_property
    def parameters(self) -> inspect.Signature:
        """The Python signature, for binding arguments."""
        return inspect.signature(self.function)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in order."""
        return tuple(self.parameters.parameters)

    @cached_property
    def described(self) -> dict[str, str]:
        """What annotations say of inputs and of their fields, which are named as `order.city`."""
        return self._taken.described()

    @property
    def history(self) -> str | None:
        """The name of the input that is a chat history; raises ModuleDefinitionError for two."""
        return self._taken.history

    @property
    def attached(self) -> tuple[str, ...]:
        """The names of the inputs that are images or files; raises ModuleDefinitionError."""
        return tuple(self._taken.attached)

    @property
    def placeholders(self) -> dict[str, Any]:
        """Arguments of a call that shows where each input goes: `{name}` for its value."""
        return self._taken.placeholders()

    @cached_property
    def _taken(self) -> InputTypes:
        return InputTypes(self.parameters, self.function.__globals__, self.where)

    @cached_property
    def output(self) -> OutputFormat:
        """The output format; the annotation resolves here, at the first call at the latest."""
        return output_format(self._output_type(), reasoning=self.reasoning, where=self.where)

    def _output_type(self) -> Any:
        try:
            return resolved(self.parameters.return_annotation, self.function.__globals__)
        except NameError as error:
            raise UnresolvedTypeError(
                f"{self.where}: the output type {error.name!r} is not defined; define or import it "
                "at the top level of the file, outside `if TYPE_CHECKING:`"
            ) from error
        except Exception as error:
            raise ModuleDefinitionError(
                f"{self.where}: the output type {self.parameters.return_annotation!r} can't be "
                f"read ({type(error).__name__}: {' '.join(str(error).split())})"
            ) from error

    @property
    def where(self) -> str:
        """The module with its file and line, for errors."""
        return _where(self.function, self.name)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs as JSON values by name, defaults included.

        Raises ModuleCallError for a missing or unknown argument, or one without a JSON form.
        """
        try:
            bound = self.parameters.bind(*args, **kwargs)
        except TypeError as error:
            raise ModuleCallError(
                f"{self.title}: {error}; it takes ({', '.join(self.inputs)})"
            ) from None
        bound.apply_defaults()
        try:
            return self._taken.json_values(bound.arguments)
        except ModuleCallError as error:
            raise ModuleCallError(f"{self.title}: {error}") from None


def signature_of(
    function: Callable[..., Any], *, prompt: str | None, reasoning: bool, optimize: bool
) -> FunctionSignature:
    """Return a function's signature; raises ModuleDefinitionError where it can't be one."""
    check_shape(function, nested_allowed=prompt is not None)
    source = Path(inspect.getfile(function)).resolve()
    name = f"{source.stem}.{function.__name__}"
    where = _where(function, name)
    check_annotations(function, where)
    check_body(function, where)
    path = source.parent / (prompt or f"prompts/{name}.yaml")
    signature = FunctionSignature(
        function=function,
        name=name,
        instruction=_instruction(function, where, path),
        prompt_path=path.resolve(),
        prompt_required=prompt is not None,
        reasoning=reasoning,
        optimize=optimize,
    )
    with contextlib.suppress(UnresolvedTypeError):  # it may be defined by the first call
        signature.output  # noqa: B018 - resolving is the check
    note_defined(signature)
    return signature


def _where(function: Callable[..., Any], name: str) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: LM module {name!r}"


def _has_conflict(function: Callable[..., Any]) -> bool:
    """Return whether the docstring has an unresolved merge conflict, which Python takes there.

    Its markers begin their lines, in the source: a docstring loses its indentation.
    """
    if not conflict_line(inspect.getdoc(function) or ""):
        return False
    try:
        return conflict_line(inspect.getsource(function)) is not None
    except (OSError, TypeError):  # no source: it is what it looks like
        return True


def _instruction(function: Callable[..., Any], where: str, path: Path) -> str:
    text = normalise_instruction(inspect.getdoc(function) or "")
    stripped = sys.flags.optimize >= 2  # `python -OO` drops docstrings: prompt files serve then
    missing = not text.strip() and not path.exists() and packed(path) is None
    if missing and not stripped:
        raise ModuleDefinitionError(
            f"{where}: it has no docstring, which is its first instruction, and no prompt file "
            f"{path}; write one of them"
        )
    if _has_conflict(function):
        raise ModuleDefinitionError(
            f"{where}: its docstring has {CONFLICT}; keep the lines that you want, and delete its "
            "markers"
        )
    return text

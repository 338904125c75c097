"""Build the frozen signature of an LM module from a typed Python function."""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError
from pytest_mipro.runtime.signature.definition import check_annotations, check_body, check_shape
from pytest_mipro.runtime.signature.input_types import InputTypes, resolved
from pytest_mipro.runtime.signature.output_format import OutputFormat
from pytest_mipro.runtime.signature.output_type import UnresolvedTypeError, output_format
from pytest_mipro.runtime.signature.reply_text import normalise_instruction

VARIANT_SIGN = "@"
"""Parts a variant from the name of the prompt file, and of the module."""


def variant_of_file(path: Path) -> str:
    """Return the variant that a prompt file is of, "" for the plain one."""
    return path.stem.partition(VARIANT_SIGN)[2]


def plain_file(path: Path) -> Path:
    """Return the plain prompt file beside that of a variant."""
    return path.with_name(f"{path.stem.partition(VARIANT_SIGN)[0]}{path.suffix}")


@dataclass(frozen=True, eq=False)
class Signature:
    """The name, inputs, output format and prompt path of a module.

    `function` is the decorated function, `instruction` its docstring. `name` is
    `<source stem>.<function>`; `prompt_path` (absolute) is the identity: two modules on one path
    are refused before anything is written. With `prompt_required` the prompt file must exist; with
    `reasoning` the model is asked for its reasoning first; with `optimize` the prompt may change.
    Of a `variant` ("": none), `plain` is the module whose prompt it follows without a file.
    """

    function: Callable[..., Any]
    name: str
    instruction: str
    prompt_path: Path
    prompt_required: bool = False
    reasoning: bool = False
    optimize: bool = True
    variant: str = ""
    plain: Signature | None = None
    _variants: dict[str, Signature] = field(default_factory=dict, init=False, repr=False)

    def of_variant(self, name: str) -> Signature:
        """Return the module with the prompt of a variant, `triage@acme.yaml` for `triage.yaml`.

        That is another module to all who compare, optimise or write prompts. "" is the plain one.
        """
        plain = self.plain or self
        if not name:
            return plain
        known, path = plain._variants, plain.prompt_path  # noqa: SLF001 - of this class
        if name not in known:
            path = path.with_name(f"{path.stem}{VARIANT_SIGN}{name}{path.suffix}")
            known.setdefault(name, replace(plain, prompt_path=path, variant=name, plain=plain))
        return known[name]

    @property
    def full_name(self) -> str:
        """`name`, and of a variant `name@variant`."""
        return f"{self.name}{VARIANT_SIGN}{self.variant}" if self.variant else self.name

    @property
    def label(self) -> str:
        """`full_name`; `name` with the prompt file, where several modules have it, as of a factory.

        Paths are relative to the source file's folder, or to the one that the modules' files share.
        """
        nested = "<locals>" in self.function.__qualname__
        namesakes = [self, *_namesakes(self.plain or self)]
        if len(namesakes) == 1 and not nested:
            return self.full_name
        sources = {str(Path(inspect.getfile(each.function)).resolve()) for each in namesakes}
        folder = os.path.commonpath([os.path.dirname(source) for source in sources])  # noqa: PTH120 - fast
        path = Path(os.path.relpath(self.prompt_path, folder))
        return f"{self.name} ({path.as_posix()})"

    def called_as(self, labels: Iterable[str]) -> Iterator[Signature]:
        """Yield the module and its variants that have one of the labels."""
        for label in labels:
            end = label.rpartition(VARIANT_SIGN)[2].removesuffix(f"{self.prompt_path.suffix})")
            for each in (self, self.of_variant(end)):
                if each.label == label:
                    yield each

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
                f"LM module {self.name!r}: {error}; it takes ({', '.join(self.inputs)})"
            ) from None
        bound.apply_defaults()
        try:
            return self._taken.json_values(bound.arguments)
        except ModuleCallError as error:
            raise ModuleCallError(f"LM module {self.name!r}: {error}") from None

    def digest(self) -> str:
        """Return 16 hex digits that change when inputs, output format or reasoning change."""
        parts = [list(self.inputs), self.output.instruction(), self.reasoning]
        text = json.dumps([*parts, self.described] if self.described else parts)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def signature_of(
    function: Callable[..., Any], *, prompt: str | None, reasoning: bool, optimize: bool
) -> Signature:
    """Return a function's signature; raises ModuleDefinitionError where it can't be one."""
    check_shape(function, nested_allowed=prompt is not None)
    source = Path(inspect.getfile(function)).resolve()
    name = f"{source.stem}.{function.__name__}"
    where = _where(function, name)
    check_annotations(function, where)
    check_body(function, where)
    path = source.parent / (prompt or f"prompts/{name}.yaml")
    signature = Signature(
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
    _defined[signature.name, signature.prompt_path] = signature
    _paths_of[signature.name].add(signature.prompt_path)
    return signature


_defined: WeakValueDictionary[tuple[str, Path], Signature] = WeakValueDictionary()
_paths_of = defaultdict[str, set[Path]](set)


def _namesakes(signature: Signature) -> list[Signature]:
    """Return the other modules of that name which are in use: not of a file imported afresh."""
    others = _paths_of[signature.name] - {signature.prompt_path}
    found = (_defined.get((signature.name, path)) for path in others)
    return [each for each in found if each is not None and _is_imported(each.function)]


def _is_imported(function: Callable[..., Any]) -> bool:
    module = sys.modules.get(function.__module__)
    return module is not None and vars(module) is function.__globals__


def defined_signature(name: str, prompt_path: Path) -> Signature | None:
    """Return the signature last defined with this name and path, or None."""
    return _defined.get((name, prompt_path))


def defined_signatures() -> tuple[Signature, ...]:
    """Return the signatures of all modules that this process has defined and still holds."""
    return tuple(_defined.values())


def _where(function: Callable[..., Any], name: str) -> str:
    code = function.__code__
    return f"{code.co_filename}:{code.co_firstlineno}: LM module {name!r}"


def _instruction(function: Callable[..., Any], where: str, path: Path) -> str:
    text = normalise_instruction(inspect.getdoc(function) or "")
    stripped = sys.flags.optimize >= 2  # `python -OO` drops docstrings: prompt files serve then
    if not text.strip() and not stripped and not path.exists():
        raise ModuleDefinitionError(
            f"{where}: it has no docstring, which is its first instruction, and no prompt file "
            f"{path}; write one of them"
        )
    return text

"""The signature of what can be optimised: an LM module, or a text that a pipeline sends itself."""

from __future__ import annotations

import hashlib
import json
import os
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, cast
from weakref import WeakValueDictionary

from pytest_mipro.runtime.signature.json_values import to_text
from pytest_mipro.runtime.signature.outputs.output_format import OutputFormat

VARIANT_SIGN = "@"
"""Parts a variant from the name of the prompt file, and of the module."""
# A variant is part of a file's name, on every file system.
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")


def is_variant(name: Any) -> bool:
    """Return whether it can name a variant."""
    return isinstance(name, str) and _VARIANT.match(name) is not None


def variant_of_file(path: Path) -> str:
    """Return the variant that a prompt file is of, "" for the plain one."""
    return path.stem.partition(VARIANT_SIGN)[2]


def plain_file(path: Path) -> Path:
    """Return the plain prompt file beside that of a variant."""
    return path.with_name(f"{path.stem.partition(VARIANT_SIGN)[0]}{path.suffix}")


@dataclass(frozen=True, eq=False)
class Signature(ABC):
    """The `name`, inputs, output format and prompt path of a module, or of a prompt text.

    `instruction` is what it says without a prompt file. `prompt_path` (absolute) is the identity:
    two modules on one path are refused before anything is written. With `prompt_required` the
    prompt file must exist; with `reasoning` demos hold a reasoning; with `optimize` the prompt may
    change. Of a `variant` ("": none), `plain` is the module whose prompt it follows without a file.
    """

    name: str
    instruction: str
    prompt_path: Path
    prompt_required: bool = False
    reasoning: bool = False
    optimize: bool = True
    variant: str = ""
    plain: Self | None = None
    _variants: dict[str, Signature] = field(default_factory=dict, init=False, repr=False)
    kind: ClassVar[str] = "LM module"

    @property
    @abstractmethod
    def source(self) -> tuple[str, int]:
        """The file and line that define it."""

    @property
    @abstractmethod
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs, in order; of a text none, as each call has its own."""

    @property
    @abstractmethod
    def described(self) -> Mapping[str, str]:
        """What is said of inputs, by their names."""

    @property
    def history(self) -> str | None:
        """The name of the input that is a chat history."""
        return None

    @property
    def attached(self) -> tuple[str, ...]:
        """The names of the inputs that are images or files."""
        return ()

    @property
    @abstractmethod
    def output(self) -> OutputFormat:
        """The format of replies."""

    @property
    def is_in_use(self) -> bool:
        """Whether it is still what its source defines."""
        return True

    @property
    def is_made(self) -> bool:
        """Whether its source makes several of its name."""
        return False

    def of_variant(self, name: str) -> Self:
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
        return cast("Self", known[name])

    @property
    def full_name(self) -> str:
        """`name`, and of a variant `name@variant`."""
        return f"{self.name}{VARIANT_SIGN}{self.variant}" if self.variant else self.name

    @property
    def title(self) -> str:
        """Its kind and name, for errors."""
        return f"{self.kind} {self.name!r}"

    @property
    def where(self) -> str:
        """Its title behind file and line, for errors."""
        file, line = self.source
        return f"{file}:{line}: {self.title}"

    @property
    def label(self) -> str:
        """`full_name`; `name` with the prompt file, where several have it, as of a factory.

        Paths are relative to the source file's folder, or to the one that the sources share.
        """
        namesakes = [self, *_namesakes(self.plain or self)]
        if len(namesakes) == 1 and not self.is_made:
            return self.full_name
        sources = {each.source[0] for each in namesakes}
        folder = os.path.commonpath([os.path.dirname(source) for source in sources])  # noqa: PTH120 - fast
        path = Path(os.path.relpath(self.prompt_path, folder))
        return f"{self.name} ({path.as_posix()})"

    def called_as(self, labels: Iterable[str]) -> Iterator[Signature]:
        """Yield the module and its variants that have one of the labels."""
        for label in labels:
            end = label.rpartition(VARIANT_SIGN)[2].removesuffix(f"{self.prompt_path.suffix})")
            for each in (self, self.of_variant(end if is_variant(end) else "")):
                if each.label == label:
                    yield each
                    break

    def demo_inputs(self, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return a demo's inputs in the order of its own; None where they are others."""
        if set(inputs) != set(self.inputs):
            return None
        return {name: inputs[name] for name in self.inputs}

    def user_text(self, inputs: Mapping[str, Any]) -> str:
        """Return the user message that holds a call's or a demo's inputs."""
        return input_text(inputs)

    def digest(self) -> str:
        """Return 16 hex digits that change when inputs, output format or reasoning change."""
        parts = [list(self.inputs), self.output.instruction(), self.reasoning]
        text = json.dumps([*parts, self.described] if self.described else parts)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def input_text(inputs: Mapping[str, Any]) -> str:
    """Return the inputs as text, each unchanged between tags of its name."""
    if not inputs:
        return "Go on."  # some endpoints refuse an empty message
    return "\n\n".join(f"<{name}>\n{to_text(value)}\n</{name}>" for name, value in inputs.items())


_defined: WeakValueDictionary[tuple[str, Path], Signature] = WeakValueDictionary()
_paths_of = defaultdict[str, set[Path]](set)


def note_defined(signature: Signature) -> None:
    """Have this process know the signature by its name and path."""
    _defined[signature.name, signature.prompt_path] = signature
    _paths_of[signature.name].add(signature.prompt_path)


def _namesakes(signature: Signature) -> list[Signature]:
    """Return the others of that name which are in use: not of a file imported afresh."""
    others = _paths_of[signature.name] - {signature.prompt_path}
    found = (_defined.get((signature.name, path)) for path in others)
    return [each for each in found if each is not None and each.is_in_use]


def defined_signature(name: str, prompt_path: Path) -> Signature | None:
    """Return the signature last defined with this name and path, or None."""
    return _defined.get((name, prompt_path))


def defined_signatures() -> tuple[Signature, ...]:
    """Return all signatures that this process has defined and still holds."""
    return tuple(_defined.values())

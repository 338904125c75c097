"""Read and write prompt files. Errors name path:line.

YAML holds an instruction and demos; a text file (`.md`, `.txt`) is an instruction, of a prompt text
behind a front matter that holds demos alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_mipro.errors import (
    ModuleDefinitionError,
    OutputParseError,
    PromptFileError,
)
from pytest_mipro.runtime.prompts import front_matter
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.signature.answers.reply_text import normalise_instruction
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN, Signature
from pytest_mipro.runtime.signature.text_signature import TextSignature
from pytest_mipro.runtime.text import yaml_subset
from pytest_mipro.runtime.text.files import read_shipped
from pytest_mipro.runtime.text.merge_conflict import (
    CONFLICT,
    LFS_POINTER,
    conflict_line,
    is_lfs_pointer,
)
from pytest_mipro.runtime.text.schema_version import version_problem
from pytest_mipro.runtime.text.yaml_subset import YAMLTextError, problem

SCHEMA_VERSION = 1
_TEXT_SUFFIXES = (".md", ".txt")
PROMPT_SUFFIXES = (".yaml", ".yml", *_TEXT_SUFFIXES)
"""What the name of a prompt file may end in."""
_KEYS = ("schema_version", "module", "instruction", "demos")
_FRONT_KEYS = ("demos",)
_DEMO_KEYS = ("case", "inputs", "output", "reasoning")
_CONFLICT = f"{CONFLICT}; keep the lines that you want, and delete its markers"
_WANTED = {str: "text", dict: "a mapping", list: "a list", int: "a whole number"}


def holds_demos(path: Path) -> bool:
    """Return whether a module's prompt file can hold demos; a text file is an instruction alone."""
    return path.suffix not in _TEXT_SUFFIXES


def shows_demos(signature: Signature) -> bool:
    """Return whether a module's prompt may hold demos; images and files don't go into its file."""
    return holds_demos(signature.prompt_path) and not signature.attached


def check_prompt_path(prompt: Any, where: str) -> None:
    """Raise ModuleDefinitionError, which begins with `where`, for what names no prompt file."""
    if not (isinstance(prompt, str) and prompt.endswith(PROMPT_SUFFIXES)):
        raise ModuleDefinitionError(
            f'{where}: prompt must be a path such as "prompts/name.yaml" or, for an instruction '
            f'alone, "prompts/name.md", not {prompt!r:.60}'
        )
    if VARIANT_SIGN in Path(prompt).name:
        raise ModuleDefinitionError(
            f"{where}: {VARIANT_SIGN!r} in the name of a prompt file parts a variant from the name "
            f"of the plain file, so prompt={prompt!r:.60} can't have it; rename the file"
        )


def file_text(path: Path, module: str, prompt: Prompt) -> str:
    """Return the text of a module's prompt file, in the format that its name says."""
    if holds_demos(path):
        return dump_prompt(module, prompt)
    demos = yaml_subset.dump({"demos": [_demo_data(demo) for demo in prompt.demos]})
    front = f"---\n{demos}---\n" if prompt.demos else ""
    return f"{front}{prompt.instruction}\n"


def dump_prompt(module: str, prompt: Prompt) -> str:
    """Return the text of a prompt file; the same prompt always gives the same bytes."""
    return yaml_subset.dump(
        {
            "schema_version": SCHEMA_VERSION,
            "module": module,
            "instruction": yaml_subset.Block(prompt.instruction),
            "demos": [_demo_data(demo) for demo in prompt.demos],
        }
    )


def _demo_data(demo: Demo) -> dict[str, Any]:
    data = {"case": demo.case, "inputs": dict(demo.inputs), "output": demo.output}
    return data if demo.reasoning is None else data | {"reasoning": demo.reasoning}


def parse_prompt(text: str, path: Path, signature: Signature | None = None) -> Prompt:
    """Return the prompt in a file's text; raises PromptFileError that names path:line.

    With a signature, the file must belong to this module, and its demos must have the module's
    inputs and output type.
    """
    text = text.removeprefix("\ufeff")  # some editors save one
    if is_lfs_pointer(text):
        raise PromptFileError(f"{path}:1: {LFS_POINTER}")
    if line := conflict_line(text):
        raise PromptFileError(f"{path}:{line}: {_CONFLICT}")
    try:
        if not holds_demos(path):
            return _text_prompt(text, path, signature)
        return _prompt(_Checked(*yaml_subset.load(text), _KEYS), signature)
    except YAMLTextError as error:
        raise PromptFileError(f"{path}:{error.line}: {error}") from None


def _text_prompt(text: str, path: Path, signature: Signature | None) -> Prompt:
    front = front_matter.split(text) if signature is None or _is_text(signature) else None
    instruction = normalise_instruction(front[1] if front else text)
    if not instruction.strip():
        raise PromptFileError(f"{path}:1: the instruction is empty")
    if front is None:
        return Prompt(instruction)
    held = _Checked(*yaml_subset.load(front[0]), _FRONT_KEYS)
    return Prompt(instruction, _demos(held, signature))


def _is_text(signature: Signature) -> bool:
    return isinstance(signature, TextSignature)


class _Checked:
    """A mapping that knows the lines of its keys, for errors."""

    def __init__(self, data: Any, node: Any, allowed: tuple[str, ...]) -> None:
        if not isinstance(data, dict):
            raise problem(f"expected a mapping with the keys {', '.join(allowed)}", node)
        self.data = data
        self.node = node
        self.keys = {key.value: key for key, _ in node.value}
        self.values = {key.value: value for key, value in node.value}
        for key, place in self.keys.items():
            if key not in allowed:
                raise problem(f"unknown key {key!r:.60}; known: {', '.join(allowed)}", place)

    def has(self, key: str) -> bool:
        return self.data.get(key) is not None

    def get(self, key: str, kind: type) -> Any:
        value = self.any(key)
        if type(value) is not kind:
            hint = "; quote it" if kind is str and not isinstance(value, (dict, list)) else ""
            raise problem(f"{key!r} must be {_WANTED[kind]}, not {value!r:.60}{hint}", self.at(key))
        return value

    def any(self, key: str) -> Any:
        if key not in self.keys:
            raise problem(f"the key {key!r} is missing", self.node)
        return self.data[key]

    def at(self, key: str) -> Any:
        return self.keys[key]


def _prompt(root: _Checked, signature: Signature | None) -> Prompt:
    version = root.get("schema_version", int)
    if version != SCHEMA_VERSION:
        raise problem(version_problem(version, SCHEMA_VERSION), root.at("schema_version"))
    module = root.get("module", str)
    if signature is not None and module != signature.name:
        raise problem(
            f"the file belongs to module {module!r}, not to {signature.name!r}; write `module: "
            f"{signature.name}` if that is its new name",
            root.at("module"),
        )
    instruction = normalise_instruction(root.get("instruction", str))
    if not instruction.strip():
        raise problem("the instruction is empty", root.at("instruction"))
    return Prompt(instruction, _demos(root, signature))


def _demos(root: _Checked, signature: Signature | None) -> tuple[Demo, ...]:
    items = root.get("demos", list) if root.has("demos") else []
    nodes = root.values["demos"].value if items else []
    return tuple(
        _demo(_Checked(item, node, _DEMO_KEYS), signature)
        for item, node in zip(items, nodes, strict=True)
    )


def _demo(item: _Checked, signature: Signature | None) -> Demo:
    inputs = item.get("inputs", dict)
    output = item.any("output")
    if signature is not None:
        ordered = signature.demo_inputs(inputs)
        if ordered is None:
            raise problem(
                f"the demo has the inputs {sorted(inputs)}, not {sorted(signature.inputs)}; rename "
                "them, or delete the demo",
                item.at("inputs"),
            )
        if signature.attached:
            raise problem(
                f"the module takes images or files ({', '.join(signature.attached)}), which no "
                "prompt file holds; delete the demo",
                item.at("inputs"),
            )
        inputs = ordered
        try:
            signature.output.load(output)
        except OutputParseError as error:
            raise problem(
                f"the output {output!r:.60} does not have the module's type: {error}; "
                "correct it, or delete the demo",
                item.at("output"),
            ) from None
    reasoning = item.get("reasoning", str) if item.has("reasoning") else None
    return Demo(item.get("case", str), inputs, output, reasoning)


def read_prompt(path: Path, signature: Signature | None = None) -> Prompt:
    """Return the prompt of a file; raises PromptFileError, also where it can't be read."""
    try:
        content = read_shipped(path)
    except OSError as error:
        raise PromptFileError(f"{path}:1: can't be read ({error.strerror})") from error
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PromptFileError(
            f"{path}:{line}: not UTF-8 ({error.reason}); save it as UTF-8"
        ) from None
    return parse_prompt(text, path, signature)

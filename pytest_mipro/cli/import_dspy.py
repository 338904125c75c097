"""`import dspy`: turn a program saved by DSPy's `save("….json")` into prompt files.

Each predictor becomes the prompt of an LM module of one source file: of the function with its name
there, or of one that is printed, to be added to it. DSPy itself is not needed.
"""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mipro.cli.output import say
from pytest_mipro.cli.repo.importing import AnyModule, modules_of
from pytest_mipro.cli.repo.project import in_project
from pytest_mipro.cli.repo.sources import FoundPrompt, prompts_in, source_text
from pytest_mipro.cli.repo.trees import Folder, project_root
from pytest_mipro.cli.saved_dspy import Predictor, read_saved
from pytest_mipro.errors import ConfigurationError, OutputParseError
from pytest_mipro.runtime.prompts.prompt import Demo, Prompt
from pytest_mipro.runtime.prompts.prompt_file import file_text, holds_demos
from pytest_mipro.runtime.text.files import atomic_write
from pytest_mipro.runtime.text.number_words import counted
from pytest_mipro.runtime.text.redaction import one_line


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "import", help="turn a saved DSPy program into prompt files", description=__doc__
    )
    parser.add_argument("kind", choices=["dspy"])
    parser.add_argument("saved", type=Path, metavar="SAVED.json")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="SOURCE.py",
        help="the source of the modules (default: SAVED.py in this folder)",
    )
    parser.set_defaults(run=run)


@dataclass(frozen=True)
class _Target:
    """Where a predictor's prompt goes: the module's name, its file, and the module if it exists."""

    predictor: Predictor
    name: str
    path: str
    found: FoundPrompt | None

    @property
    def function(self) -> str:
        """The name of the module's function."""
        return self.name.rpartition(".")[2]


def run(given: argparse.Namespace) -> int:
    """Write the prompt files, and print the modules that are to be written."""
    predictors, others = read_saved(given.saved)
    root = project_root(Path.cwd()).resolve()
    source = (given.into or Path(f"{given.saved.stem}.py")).resolve()
    if not source.is_relative_to(root) or source.suffix != ".py":
        raise ConfigurationError(f"--into={source}: give a Python file inside the project {root}")
    tree = Folder(root)
    targets = list(_targets(predictors, tree, source.relative_to(root).as_posix()))
    taken = [target.path for target in targets if tree.read(target.path) is not None]
    if taken:
        raise ConfigurationError(f"{taken[0]} is there already; move it away, and run this again")
    modules = _existing(source, targets)
    made = [(target, *_prompt(target, modules.get(target.function))) for target in targets]
    for target, prompt, notes in made:
        text = file_text(Path(target.path), target.name, prompt)
        atomic_write(root / target.path, text)
        demos = counted(len(prompt.demos), "demo")
        say(f"wrote {target.path}: {target.predictor.name}, with {demos}")
        for note in notes:
            say(f"  {note}")
    for name in others:
        say(f"left out {name}: it is no predictor")
    missing = [target for target in targets if target.found is None]
    if missing:
        say(f"\nAdd to {source.relative_to(root).as_posix()}:\n")
        say("\n".join(_code(missing)))
    return 0


def _targets(predictors: Sequence[Predictor], tree: Folder, source: str) -> Iterator[_Target]:
    known = {it.known_as: it for it in prompts_in(source_text(tree, source), source).modules}
    folder, stem = posixpath.dirname(source), Path(source).stem
    seen: dict[str, str] = {}
    for predictor in predictors:
        function = predictor.function
        if function in seen:
            raise ConfigurationError(
                f"the predictors {seen[function]!r} and {predictor.name!r} would both be the "
                f"function {function}; rename an attribute of the DSPy program, and save it again"
            )
        seen[function] = predictor.name
        found, name = known.get(function), f"{stem}.{function}"
        path = found.prompt_path if found else posixpath.join(folder, f"prompts/{name}.yaml")
        yield _Target(predictor, name, path, found)


def _existing(source: Path, targets: Sequence[_Target]) -> dict[str, AnyModule]:
    """Return the modules that exist, by function: their types tell which demos fit."""
    if not any(target.found for target in targets):
        return {}
    modules = in_project(lambda _: list(modules_of(source)))
    return {module.signature.function.__name__: module for module in modules}


def _prompt(target: _Target, module: AnyModule | None) -> tuple[Prompt, list[str]]:
    """Return a predictor's prompt, and what was left out of it."""
    predictor, demos, notes = target.predictor, list[Demo](), list[str]()
    inputs = list(module.signature.inputs) if module else predictor.inputs
    outputs = [name for name in predictor.fields if name not in inputs] if module else None
    names = [name for name in outputs or predictor.outputs if name != predictor.reasoning]
    if module is None and predictor.guessed:
        notes.append(f"took {names[0]} alone for the output, and the other fields for inputs")
    for number, saved in enumerate(predictor.demos, 1):
        missing = [name for name in (*inputs, *names) if name not in saved]
        if missing or not names:
            notes.append(f"demo {number} is left out: it lacks {', '.join(missing) or 'an output'}")
            continue
        output = saved[names[0]] if len(names) == 1 else {name: saved[name] for name in names}
        problem = _misfit(module, output)
        if problem:
            notes.append(f"demo {number} is left out: {problem}")
            continue
        reasons = module.signature.reasoning if module else predictor.reasoning is not None
        reasoning = saved.get(predictor.reasoning) if predictor.reasoning and reasons else None
        row = f"dspy:{predictor.name}:{number}"
        values = {name: saved[name] for name in inputs}
        demos.append(Demo(row, values, output, str(reasoning) if reasoning else None))
    if demos and not holds_demos(Path(target.path)):
        notes.append(f"{counted(len(demos), 'demo')} left out: a text file is an instruction alone")
        demos = []
    return Prompt(predictor.instruction, tuple(demos)), notes


def _misfit(module: AnyModule | None, output: Any) -> str:
    if module is None:
        return ""
    try:
        module.signature.output.load(output)
    except OutputParseError as error:
        return f"its output is none of {module.signature.name} ({one_line(error, 120)})"
    return ""


def _code(targets: Sequence[_Target]) -> Iterator[str]:
    """Yield the lines of the modules that are to be written."""
    several = any(len(target.predictor.outputs) > 1 for target in targets)
    if several:
        yield "from typing import TypedDict\n"
    yield "from pytest_mipro import lm_module"
    for target in targets:
        predictor, output = target.predictor, "str"
        outputs = predictor.outputs
        if len(outputs) > 1:
            output = "".join(part.title() for part in target.function.split("_"))
            yield f"\n\nclass {output}(TypedDict):"
            yield from (f"    {name}: {predictor.type_of(name)}" for name in outputs)
        elif outputs:
            output = predictor.type_of(outputs[0])
        inputs = ", ".join(f"{name}: {predictor.type_of(name)}" for name in predictor.inputs)
        reasoning = "(reasoning=True)" if predictor.reasoning else ""
        yield f"\n\n@lm_module{reasoning}"
        yield f"def {target.function}({inputs}) -> {output}:"
        first = next(iter(predictor.instruction.splitlines()), "")
        summary = first.replace("\\", "").replace('"""', "'''").strip('" ')
        yield f'    """{summary or "The prompt file has the instruction."}"""'

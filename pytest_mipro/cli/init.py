"""`init`: write a first test, a case file and settings, and say what to do next.

The test is of the function that a case can call and that is no step of another one; of several, of
the one that leads to most LM calls. FUNCTION names another one. It asks no model, changes no file
that is there, and runs none.
"""

from __future__ import annotations

import argparse
import ast
import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_mipro.cli.output import say
from pytest_mipro.cli.repo.import_names import folder_without_name, import_name
from pytest_mipro.cli.repo.pipelines import RESERVED, Pipeline, pipelines_in
from pytest_mipro.cli.repo.pytest_ini import Ini, read_ini
from pytest_mipro.cli.repo.trees import Folder, project_root
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.pages import page
from pytest_mipro.runtime.text.files import atomic_write

_ROWS = 3
_TEST = '''"""How good `{function}` is. Replace the last line by your own rule for a good result."""

import pytest

from pytest_mipro import cases
from {module} import {imported}


@pytest.mark.mipro(threshold=0.8)  # the mean over all cases must reach 0.8
@cases("{file}")
{define} test_{name}({parameters}):
    result = {call}
    {rule}
'''


def add_to(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "init", help="write a first test, a case file and settings", description=__doc__
    )
    parser.add_argument(
        "function", nargs="?", metavar="FUNCTION", help="the function to test, by its name"
    )
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Write the files and print what to do next."""
    tree = Folder(project_root(Path.cwd()))
    found = pipelines_in(tree)
    chosen = _chosen(found, given.function)
    settings = _Settings(
        read_ini(tree.root), any(it.startswith("src/") for it in tree.paths(".py"))
    )
    files = _files(tree, chosen, settings)
    if not settings.ini.file:
        files["pytest.ini"] = "[pytest]\n" + "\n".join(settings.lines(chosen)) + "\n"
    for path, text in files.items():
        atomic_write(tree.root / path, text)
        say(f"wrote {path}")
    say()
    for number, step in enumerate(_steps(chosen, list(files), settings), 1):
        say(f"{number}. {step}")
    others = [each for each in found if each is not chosen][:5]
    if others:
        names = ", ".join(f"{each.function} ({each.source})" for each in others)
        say(f"\nOther functions that lead to LM calls: {names}. `init NAME` writes a test of one.")
    return 0


def _chosen(found: list[Pipeline], name: str | None) -> Pipeline:
    wanted = [it for it in found if name is None or name in (it.function, _last(it.function))]
    if not wanted and name is not None:
        known = ", ".join(each.function for each in found[:8]) or "none is found"
        raise ConfigurationError(
            f"{name!r} is no function or method that leads to LM calls; found: {known}"
        )
    if not wanted:
        raise ConfigurationError(
            "no function here is an LM module, or calls openai, anthropic, litellm, mistralai or "
            "an LM API by httpx or aiohttp; run this in the folder of your project, or write a "
            f"test by hand: {page('writing-tests.md')}"
        )
    first = wanted[0]
    if not first.bare:
        raise ConfigurationError(
            f"{first.source}: {first.function} needs a {first.function.partition('.')[0]} made "
            "with arguments, or is called by Python itself; write a function that makes one and "
            "calls it, and name that"
        )
    if not first.parameters or RESERVED & set(first.parameters):
        taken = ", ".join(first.parameters) or "nothing"
        raise ConfigurationError(
            f"{first.source}: {first.function} takes {taken}, which a case file can't give; name "
            f"another function, or write one whose inputs are none of {', '.join(sorted(RESERVED))}"
        )
    return first


def _last(function: str) -> str:
    return function.rpartition(".")[2]


@dataclass(frozen=True)
class _Settings:
    """What the project tells pytest, and what that lacks for a test of a pipeline."""

    ini: Ini
    has_src: bool

    def import_roots(self, source: str) -> list[str]:
        """Return the folders that tests import a source from, as set or as is usual."""
        usual = self._usual_roots(source)
        if "pythonpath" not in self.ini.values:
            return usual
        # Sources below `src` may be installed.
        return [*self.ini.words("pythonpath"), *(it for it in usual if it == "src")]

    def _usual_roots(self, source: str) -> list[str]:
        below = folder_without_name(source)
        return [*(["src"] if self.has_src else []), *([below] if below else []), "."]

    def lines(self, pipeline: Pipeline) -> list[str]:
        """Return the missing settings as lines of the file that they belong to."""
        toml = self.ini.file.endswith(".toml")
        lines = []
        if "pythonpath" not in self.ini.values:
            folders = self._usual_roots(pipeline.source)
            text = json.dumps(folders) if toml else shlex.join(folders)
            lines.append(f"pythonpath = {text}")
        if "mipro_model" not in self.ini.values and pipeline.has_modules:
            model = "openai/gpt-4o-mini"
            lines.append(f"mipro_model = {json.dumps(model) if toml else model}")
        return lines


def _files(tree: Folder, pipeline: Pipeline, settings: _Settings) -> dict[str, str]:
    """Return the test and the case file by path; refuses a name that is taken."""
    named = settings.ini.words("testpaths")
    folder = next((each for each in named if (tree.root / each).is_dir()), "tests")
    name = pipeline.function.replace(".", "_").strip("_").lower()
    test, cases = f"{folder}/test_{name}.py", f"{folder}/{name}.jsonl"
    taken = [path for path in tree.paths(f"test_{name}.py") if path.endswith(f"/test_{name}.py")]
    taken += [path for path in (test, cases) if (tree.root / path).exists()]
    if taken:
        raise ConfigurationError(
            f"{taken[0]} is there already, and nothing that is there is changed; name another "
            "function, or rename the file"
        )
    rows = (_row(number, pipeline) for number in range(1, _ROWS + 1))
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    return {test: _test(pipeline, settings, name), cases: "\n".join(lines) + "\n"}


def _test(pipeline: Pipeline, settings: _Settings, name: str) -> str:
    called = pipeline.function
    if pipeline.maker:
        called = f"{pipeline.maker}().{_last(called)}"
    call = f"{called}({', '.join(f'{it}={it}' for it in pipeline.parameters)})"
    return _TEST.format(
        function=pipeline.function,
        name=name,
        imported=pipeline.function.partition(".")[0],
        module=import_name(pipeline.source, settings.import_roots(pipeline.source)),
        file=f"{name}.jsonl",
        define="async def" if pipeline.is_async else "def",
        parameters=", ".join([*pipeline.parameters, "wanted"]),
        call=f"await {call}" if pipeline.is_async else call,
        rule=_rule(pipeline.output),
    )


def _rule(output: str) -> str:
    if output == "str":
        return "assert wanted.lower() in result.lower()"
    if output in ("int", "float", "bool") or output.startswith("Literal"):
        return "assert result == wanted"
    return "assert wanted in str(result)"


def _row(number: int, pipeline: Pipeline) -> dict[str, Any]:
    columns = {name: _value(said, name, number) for name, said in pipeline.parameters.items()}
    return {"id": f"case-{number}", **columns, "wanted": _wanted(pipeline.output, number)}


def _wanted(output: str, number: int) -> Any:
    exact = output in ("int", "float", "bool") or output.startswith("Literal")
    return _value(output if exact else "str", "wanted", number)


def _value(annotation: str, name: str, number: int) -> Any:
    """Return a value to be replaced, of the annotation's type."""
    if annotation.startswith("Literal["):
        choices = list(_constants(annotation))
        if choices:
            return choices[(number - 1) % len(choices)]
    plain: dict[str, Any] = {"int": number, "float": number / 2, "bool": number % 2 == 0}
    if annotation in plain:
        return plain[annotation]
    head = annotation.partition("[")[0]
    if head in ("dict", "Mapping"):
        return {}
    text = f"TODO {name} {number}"
    return [text] if head in ("list", "tuple", "Sequence") else text


def _constants(annotation: str) -> Iterator[Any]:
    for node in ast.walk(ast.parse(annotation, mode="eval")):
        if isinstance(node, ast.Constant):
            yield node.value


def _steps(pipeline: Pipeline, files: list[str], settings: _Settings) -> Iterator[str]:
    test, cases = files[:2]
    yield (
        f"Put real inputs and wanted results into {cases}: each row is a case. About 75 make a "
        "result that can be confirmed."
    )
    yield f"Say in {test} what makes a result good."
    missing = settings.lines(pipeline)
    if settings.ini.file and missing:
        lines = "".join(f"\n   {line}" for line in missing)
        yield f"Add to {settings.ini.section} in {settings.ini.file}:{lines}"
    if pipeline.has_modules:
        model = settings.ini.values.get("mipro_model")
        chosen = f"The model is {model}:" if model else "Choose the model with mipro_model, and"
        yield f"{chosen} put its key into the environment."
    else:
        yield "Put the key that your client takes into the environment; its calls are cached."
    if pipeline.has_prompts:
        yield "Run `pytest`: it is the gate. `pytest --mipro-optimize` searches for better prompts."
    else:
        yield "Run `pytest`: it is the gate."
        yield (
            "To have `pytest --mipro-optimize` search for a better prompt, move yours from the "
            'code into a file, and take it from there with `prompt_text("prompts/NAME.md")`: '
            f"{page('own-client.md#with-a-prompt-from-a-file')}"
        )

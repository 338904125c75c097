"""Find LM modules and prompt texts in source files without running these."""

from __future__ import annotations

import ast
import posixpath
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_mipro.cli.repo.trees import Tree
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES
from pytest_mipro.runtime.signature.answers.reply_text import normalise_instruction

DECORATOR = "lm_module"
_TEXT = "prompt_text"
MAKERS = (DECORATOR, _TEXT)
"""What a source has to hold to have a prompt."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class FoundPrompt:
    """The prompt of an LM module, or a prompt text, as its source says.

    `name` is `<source stem>.<function>`, of a text its file's; the source knows it as `known_as`,
    the function or the path of the text. `source` and `prompt_path` have `/`, from the root of the
    tree. With `required` the file has to be there; else `instruction`, the docstring, stands for
    it.
    """

    name: str
    known_as: str
    source: str
    prompt_path: str
    required: bool
    is_text: bool = False
    instruction: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""


@dataclass(frozen=True)
class Found:
    """The prompts of a file; `more` tells that others may be made when it runs.

    `problem` is `<line>: <what is wrong>` of a file that is no Python: its prompts stay unseen.
    """

    prompts: tuple[FoundPrompt, ...] = ()
    more: bool = False
    problem: str = ""

    @property
    def modules(self) -> tuple[FoundPrompt, ...]:
        """Those of LM modules."""
        return tuple(each for each in self.prompts if not each.is_text)

    @property
    def texts(self) -> tuple[FoundPrompt, ...]:
        """The prompt texts."""
        return tuple(each for each in self.prompts if each.is_text)


def prompts_in(text: str, path: str) -> Found:
    """Return the prompts of a source file's text, modules first; none where it is no Python."""
    tree = parsed(text)
    if tree is None:
        return Found(problem=_problem(text))
    found = [*_modules(tree, path), *_texts(tree, path)]
    known = (each for each in found if each is not None)
    return Found(tuple(dict.fromkeys(known)), None in found)


def _modules(tree: ast.Module, path: str) -> Iterator[FoundPrompt | None]:
    """Yield the LM modules, None for one of which only a run tells where its prompt is."""
    top, ours = list(top_functions(tree)), _names_of(DECORATOR, tree)
    for node in ast.walk(tree):
        if not isinstance(node, Function):
            continue
        decorator = next((it for it in node.decorator_list if _named(it) in ours), None)
        if decorator is not None:
            prompt = _prompt(decorator)
            made = node not in top or prompt is None
            yield None if made else _module(node, path, prompt or "")


def _texts(tree: ast.Module, path: str) -> Iterator[FoundPrompt | None]:
    """Yield the prompt texts, None for one whose path the code decides."""
    ours = _names_of(_TEXT, tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _named(node) in ours:
            given = [*node.args[:1], *(each.value for each in node.keywords if each.arg == "path")]
            file = _constant(given[0]) if given else None
            if file is None:
                yield None
            elif file.endswith(PROMPT_SUFFIXES):
                name, place = posixpath.basename(file), _beside(path, file)
                yield FoundPrompt(name, file, path, place, required=True, is_text=True)


def source_text(tree: Tree, path: str) -> str:
    """Return a source's text, "" where it is not UTF-8: what it holds stays unseen."""
    try:
        return (tree.read(path) or "").removeprefix("\ufeff")  # Python skips it as well
    except ConfigurationError:
        return ""


def parsed(text: str) -> ast.Module | None:
    """Return the syntax tree of a text, None where it is no Python."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its escapes; it is not ours to judge
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return None


def _problem(text: str) -> str:
    """Return the line of a text that is no Python, and what is wrong there."""
    try:
        ast.parse(text)
    except SyntaxError as error:
        return f"{error.lineno or 1}: {error.msg}"
    except (ValueError, RecursionError) as error:
        return f"1: {error}"
    return ""


def top_functions(tree: ast.Module) -> Iterator[Function]:
    """Yield the functions of the top level, those below `if` and `try` too."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, Function):
            yield node
        elif isinstance(node, (ast.If, ast.Try, ast.With)):
            waiting += ast.iter_child_nodes(node)


def parameters_of(node: Function) -> list[ast.arg]:
    """Return a function's parameters that can be passed by name."""
    return [*node.args.args, *node.args.kwonlyargs]


def methods(tree: ast.Module) -> Iterator[tuple[ast.ClassDef, Function]]:
    """Yield the methods of the classes of the top level."""
    for kind in tree.body:
        if isinstance(kind, ast.ClassDef):
            yield from ((kind, node) for node in kind.body if isinstance(node, Function))


def _names_of(maker: str, tree: ast.Module) -> set[str]:
    """Return what a file calls a maker of prompts, as of `import … as`."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    aliases = (alias for node in imports for alias in node.names if alias.name == maker)
    return {maker, *(alias.asname for alias in aliases if alias.asname)}


def _named(maker: ast.expr) -> str:
    target = maker.func if isinstance(maker, ast.Call) else maker
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _prompt(decorator: ast.expr) -> str | None:
    """Return the path that a decorator names, "" where it names none, None if the code decides."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    for keyword in keywords:
        if keyword.arg is None:
            return None
        if keyword.arg == "prompt":
            return _constant(keyword.value)
    return ""


def _constant(value: ast.expr) -> str | None:
    held = value.value if isinstance(value, ast.Constant) else None
    return held if isinstance(held, str) else None


def _beside(source: str, file: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), file))


def _module(node: Function, path: str, prompt: str) -> FoundPrompt:
    name = f"{PurePosixPath(path).stem}.{node.name}"
    return FoundPrompt(
        name=name,
        known_as=node.name,
        source=path,
        prompt_path=_beside(path, prompt or f"prompts/{name}.yaml"),
        required=bool(prompt),
        instruction=normalise_instruction(ast.get_docstring(node) or ""),
        inputs=tuple(parameter.arg for parameter in parameters_of(node)),
        output=ast.unparse(node.returns) if node.returns else "",
    )

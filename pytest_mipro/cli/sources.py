"""Find LM modules in source files without running these."""

from __future__ import annotations

import ast
import posixpath
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_mipro.cli.trees import Tree
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.runtime.signature.reply_text import normalise_instruction

DECORATOR = "lm_module"
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class FoundModule:
    """An LM module as its source says: `name` is `<source stem>.<function>`.

    `source` and `prompt_path` have `/`, from the root of the tree; `instruction` is the docstring.
    """

    name: str
    function: str
    source: str
    prompt_path: str
    instruction: str
    inputs: tuple[str, ...]
    output: str


@dataclass(frozen=True)
class Found:
    """The LM modules of a file; `more` tells that others may be made when it runs."""

    modules: tuple[FoundModule, ...] = ()
    more: bool = False


def modules_in(text: str, path: str) -> Found:
    """Return the LM modules of a source file's text; none where it is no Python."""
    tree = parsed(text)
    if tree is None:
        return Found()
    top, ours = list(top_functions(tree)), _names_of_decorator(tree)
    modules, more = [], False
    for node in ast.walk(tree):
        if not isinstance(node, Function):
            continue
        decorator = next((it for it in node.decorator_list if _named(it) in ours), None)
        if decorator is None:
            continue
        prompt = _prompt(decorator)
        if node not in top or prompt is None:
            more = True
        else:
            modules.append(_found(node, path, prompt))
    return Found(tuple(modules), more)


def source_text(tree: Tree, path: str) -> str:
    """Return a source's text, "" where it is not UTF-8: what it holds stays unseen."""
    try:
        return tree.read(path) or ""
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


def _names_of_decorator(tree: ast.Module) -> set[str]:
    """Return what a file calls the decorator, as of `import … as`."""
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    aliases = (alias for node in imports for alias in node.names if alias.name == DECORATOR)
    return {DECORATOR, *(alias.asname for alias in aliases if alias.asname)}


def _named(decorator: ast.expr) -> str:
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _prompt(decorator: ast.expr) -> str | None:
    """Return the path that a decorator names, "" where it names none, None if the code decides."""
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    for keyword in keywords:
        if keyword.arg is None:
            return None
        if keyword.arg == "prompt":
            value = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
            return value if isinstance(value, str) else None
    return ""


def _found(node: Function, path: str, prompt: str) -> FoundModule:
    name = f"{PurePosixPath(path).stem}.{node.name}"
    place = posixpath.join(posixpath.dirname(path), prompt or f"prompts/{name}.yaml")
    return FoundModule(
        name=name,
        function=node.name,
        source=path,
        prompt_path=posixpath.normpath(place),
        instruction=normalise_instruction(ast.get_docstring(node) or ""),
        inputs=tuple(parameter.arg for parameter in parameters_of(node)),
        output=ast.unparse(node.returns) if node.returns else "",
    )

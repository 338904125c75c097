"""Find which functions of a repo lead to LM calls, over all its files, without running them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from pytest_mipro.cli.repo.sources import (
    MAKERS,
    Function,
    methods,
    parsed,
    prompts_in,
    source_text,
    top_functions,
)
from pytest_mipro.cli.repo.trees import Tree

# What libraries call a request for a reply, behind any name of a client.
_CALL = re.compile(
    r"(?:^|\.)(?:(?:chat\.)?completions\.(?:create|parse|stream)|responses\.(?:create|parse|stream)"
    r"|messages\.(?:create|stream)|chat\.complete(?:_async)?|litellm\.a?(?:completion|responses))$"
)
# A call by hand: of an HTTP client, in a file that holds the address of an LM API.
_SENT = re.compile(r"(?:^|\.)(?:post|request|stream)$")
_ADDRESS = re.compile(r"/completions\b|/responses\b|/v1/messages|:(?:stream)?[gG]enerateContent")
_LIBRARIES = frozenset({"openai", "anthropic", "litellm", "mistralai"})
_HTTP = frozenset({"httpx", "aiohttp"})
_NO_PIPELINES = re.compile(
    r"(?:^|/)(?:(?:tests?|docs?|examples?|benchmarks?)/|conftest\.py$|test_[^/]*$|[^/]*_test\.py$)"
)

Place = tuple[str, str]
"""A source's path, and a function of it."""


@dataclass(frozen=True)
class SourceFile:
    """What a source says: its functions, what their names mean, and which of them call models.

    A method is the function `Class.method`.
    """

    functions: Mapping[str, Function]
    classes: Mapping[str, ast.ClassDef]
    names: Mapping[str, str]
    calling: frozenset[str]
    modules: frozenset[str]
    has_texts: bool


def files_of(tree: Tree) -> dict[str, SourceFile]:
    """Return the sources of a tree that may make LM calls or lead to them, tests aside."""
    return {path: _file(text, path) for path, text in _sources(tree)}


def _sources(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the sources that use a library of models, or name a file that does, and their texts."""
    left = {path: source_text(tree, path) for path in tree.paths(".py") if _is_source(path)}
    words = {*MAKERS, *_LIBRARIES, *_HTTP}
    while words:
        new = [path for path, text in left.items() if any(word in text for word in words)]
        yield from ((path, left.pop(path)) for path in new)
        words = {_import_name(path) for path in new}


def _is_source(path: str) -> bool:
    return not _NO_PIPELINES.search(path)


def _import_name(path: str) -> str:
    """Return the last word of the name under which a source is imported."""
    place = PurePosixPath(path)
    return place.parent.name if place.stem == "__init__" else place.stem


def _file(text: str, path: str) -> SourceFile:
    tree = parsed(text)
    if tree is None:
        return SourceFile({}, {}, {}, frozenset(), frozenset(), has_texts=False)
    functions = {node.name: node for node in top_functions(tree)}
    functions |= {f"{kind.name}.{node.name}": node for kind, node in methods(tree)}
    classes = {kind.name: kind for kind, _ in methods(tree)}
    names = {**dict(_instances(tree)), **dict(_imports(tree, path))}
    used = {name.partition(".")[0] for name in names.values()}
    kinds = [_CALL] if used & _LIBRARIES else []
    kinds += [_SENT] if used & _HTTP and _ADDRESS.search(text) else []
    calling = {name for name, node in functions.items() if _makes_a_call(node, names, kinds)}
    found = prompts_in(text, path)
    modules = frozenset(module.known_as for module in found.modules)
    return SourceFile(functions, classes, names, modules | calling, modules, bool(found.texts))


def _instances(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name of the top level that a call makes, as `bot = Bot()`, with what is called."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, ast.unparse(node.value.func)


def _imports(tree: ast.Module, path: str) -> Iterator[tuple[str, str]]:
    """Yield each imported name with the dotted name that it means."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name, alias.name
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                yield alias.asname or alias.name, f"{base}.{alias.name}"


def _makes_a_call(
    node: Function, names: Mapping[str, str], kinds: Iterable[re.Pattern[str]]
) -> bool:
    called = [_meaning(call.func, names) for call in _calls(node)]
    return any(kind.search(name) for kind in kinds for name in called)


def _calls(node: Function) -> Iterator[ast.Call]:
    return (each for each in ast.walk(node) if isinstance(each, ast.Call))


def _meaning(callee: ast.expr, names: Mapping[str, str]) -> str:
    """Return the dotted name of what is called, with imported names spelt out."""
    try:
        text = ast.unparse(callee)
    except (ValueError, RecursionError):
        return ""
    for length in range(text.count("."), -1, -1):
        head = ".".join(text.split(".")[: length + 1])
        if head in names:
            return names[head] + text[len(head) :]
    return text


class LMCalls:
    """Which functions lead to LM calls, over all files."""

    def __init__(self, files: Mapping[str, SourceFile]) -> None:
        self._files = files
        self._named = defaultdict[str, list[tuple[str, Place]]](list)
        for path, file in files.items():
            module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in file.functions:
                kind, _, last = name.rpartition(".")
                self._named[last].append((f".{module}.{name}", (path, name)))
                if kind:  # who names a class may call any method of it
                    self._named[kind].append((f".{module}.{kind}", (path, name)))
        self._with_texts = {_import_name(path) for path, it in files.items() if it.has_texts}
        self._reached: dict[Place, set[Place]] = {}
        self.callees = {
            (path, name): set(self._callees((path, name), node)) - {(path, name)}
            for path, file in files.items()
            for name, node in file.functions.items()
        }
        self.makers = {(path, name) for path, file in files.items() for name in file.calling}
        self.modules = {(path, name) for path, file in files.items() for name in file.modules}
        self.leading = set(self.makers)
        grows = True
        while grows:
            more = {p for p, callees in self.callees.items() if callees & self.leading}
            grows = not more <= self.leading
            self.leading |= more

    def _callees(self, place: Place, node: Function) -> Iterator[Place]:
        # What is passed on, as to `gather` or a pool, is called too.
        path, own = place
        file, kind = self._files[path], own.rpartition(".")[0]
        for each in ast.walk(node):
            if isinstance(each, (ast.Name, ast.Attribute)):
                name = _meaning(each, file.names)
                if kind and name.startswith(("self.", "cls.")):
                    name = f"{kind}.{name.partition('.')[2]}"
                if name in file.functions:
                    yield path, name
                elif name in file.classes:
                    yield from ((path, it) for it in file.functions if it.startswith(f"{name}."))
                else:
                    yield from self._place(name)

    def _place(self, dotted: str) -> Iterator[Place]:
        """Yield what a dotted name means, also below a folder such as `src`."""
        if "." in dotted:
            for known, place in self._named.get(dotted.rpartition(".")[2], ()):
                if known.endswith(f".{dotted}"):
                    yield place

    def uses_texts(self, place: Place) -> bool:
        """Return whether the function's file has prompt texts, or imports from one that has."""
        file = self._files[place[0]]
        imported = {word for name in file.names.values() for word in name.split(".")}
        return file.has_texts or not imported.isdisjoint(self._with_texts)

    def circle(self, place: Place) -> set[Place]:
        """Return the functions that lead back to a function, itself included."""
        return {place, *(each for each in self.reached(place) if place in self.reached(each))}

    def reached(self, place: Place) -> set[Place]:
        """Return the functions that a function leads to, itself included."""
        if place not in self._reached:
            seen, waiting = {place}, [place]
            while waiting:
                new = self.callees[waiting.pop()] - seen
                seen |= new
                waiting += new
            self._reached[place] = seen
        return self._reached[place]

"""Find the functions of a repo that lead to LM calls, without running its sources."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from pytest_mipro.cli.sources import (
    DECORATOR,
    Function,
    methods,
    parameters_of,
    parsed,
    prompts_in,
    source_text,
    top_functions,
)
from pytest_mipro.cli.trees import Tree

# What libraries call a request for a reply, behind any name of a client.
_CALL = re.compile(
    r"(?:^|\.)(?:(?:chat\.)?completions\.(?:create|parse|stream)|responses\.(?:create|parse|stream)"
    r"|messages\.(?:create|stream)|chat\.complete(?:_async)?|litellm\.a?(?:completion|responses))$"
)
_LIBRARIES = frozenset({"openai", "anthropic", "litellm", "mistralai"})
_NO_PIPELINES = re.compile(
    r"(?:^|/)(?:(?:tests?|docs?|examples?|benchmarks?)/|conftest\.py$|test_[^/]*$|[^/]*_test\.py$)"
)
_PLAIN = re.compile(r"str|int|float|bool|list|dict|tuple|Literal|Sequence|Mapping|Optional|None")
RESERVED = frozenset({"request", "id", "split", "demo", "cluster", "wanted"})
"""Names of parameters that mean something else in a case file or a test."""

Place = tuple[str, str]
"""A source's path, and a function of it."""


@dataclass(frozen=True)
class Pipeline:
    """A function of the top level that leads to LM calls, or a method (`Class.method`).

    `leads_to` counts the functions on its way that make them; `parameters` maps each name without
    a default to its annotation, "" without one; `output` is the annotation of what it returns.
    `has_modules` tells whether some of them are LM modules. `maker` is the class of which an
    instance has to be made first; `bare` tells that this takes no arguments.
    """

    source: str
    function: str
    parameters: Mapping[str, str]
    output: str
    is_async: bool
    leads_to: int
    has_modules: bool
    maker: str = ""
    bare: bool = True

    @property
    def is_plain(self) -> bool:
        """Whether a case file can hold all that it takes."""
        return (
            self.bare
            and bool(self.parameters)
            and all(
                name not in RESERVED and (not said or _PLAIN.match(said))
                for name, said in self.parameters.items()
            )
        )


@dataclass(frozen=True)
class _File:
    """What a source says: its functions, what their names mean, and which of them call models.

    A method is the function `Class.method`.
    """

    functions: Mapping[str, Function]
    classes: Mapping[str, ast.ClassDef]
    names: Mapping[str, str]
    calling: frozenset[str]
    modules: frozenset[str]


def pipelines_in(tree: Tree) -> list[Pipeline]:
    """Return the functions of a tree that lead to LM calls, the most likely pipeline first.

    That is a function which a case can call, no step of another such one, not the start of a
    script, and of the others the one that leads to most calls.
    """
    files = {path: _file(text, path) for path, text in _sources(tree)}
    calls = _LMCalls(files)
    found = {place: _pipeline(place, files[place[0]], calls) for place in calls.leading}
    callable_ = {place for place, each in found.items() if each.is_plain and place[1] != "main"}
    steps = {
        place
        for place in found
        if any(place in calls.reached(other) - calls.circle(other) for other in callable_)
    }

    def likeliest(place: Place) -> tuple[Any, ...]:
        hidden = place[1].startswith("_")
        return place not in callable_, place in steps, hidden, -found[place].leads_to, place

    return [found[place] for place in sorted(found, key=likeliest)]


def _sources(tree: Tree) -> Iterator[tuple[str, str]]:
    """Yield the sources that use a library of models, or name a file that does, and their texts."""
    left = {path: source_text(tree, path) for path in tree.paths(".py") if _is_source(path)}
    words = {DECORATOR, *_LIBRARIES}
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


def _file(text: str, path: str) -> _File:
    tree = parsed(text)
    if tree is None:
        return _File({}, {}, {}, frozenset(), frozenset())
    functions = {node.name: node for node in top_functions(tree)}
    functions |= {f"{kind.name}.{node.name}": node for kind, node in methods(tree)}
    classes = {kind.name: kind for kind, _ in methods(tree)}
    names = {**dict(_instances(tree)), **dict(_imports(tree, path))}
    uses = any(name.partition(".")[0] in _LIBRARIES for name in names.values())
    calling = {name for name, node in functions.items() if uses and _makes_a_call(node, names)}
    modules = {module.known_as for module in prompts_in(text, path).modules}
    return _File(functions, classes, names, frozenset(calling | modules), frozenset(modules))


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


def _makes_a_call(node: Function, names: Mapping[str, str]) -> bool:
    return any(_CALL.search(_meaning(call.func, names)) for call in _calls(node))


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


class _LMCalls:
    """Which functions lead to LM calls, over all files."""

    def __init__(self, files: Mapping[str, _File]) -> None:
        self._files = files
        self._named = defaultdict[str, list[tuple[str, Place]]](list)
        for path, file in files.items():
            module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for name in file.functions:
                kind, _, last = name.rpartition(".")
                self._named[last].append((f".{module}.{name}", (path, name)))
                if kind:  # who names a class may call any method of it
                    self._named[kind].append((f".{module}.{kind}", (path, name)))
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


def _pipeline(place: Place, file: _File, calls: _LMCalls) -> Pipeline:
    path, name = place
    node = file.functions[name]
    reached = calls.reached(place)
    kind = file.classes.get(name.rpartition(".")[0])
    decorators = {ast.unparse(it) for it in node.decorator_list} if kind else set()
    on_instance = kind is not None and not decorators & {"staticmethod", "classmethod"}
    required = _required(node)
    first = node.args.args[:1] if kind and "staticmethod" not in decorators else []
    without_default = {each.arg for each in required if each not in first}
    return Pipeline(
        source=path,
        function=name,
        parameters={
            parameter.arg: ast.unparse(parameter.annotation) if parameter.annotation else ""
            for parameter in parameters_of(node)
            if parameter.arg in without_default
        },
        output=ast.unparse(node.returns) if node.returns else "",
        is_async=isinstance(node, ast.AsyncFunctionDef),
        leads_to=len(reached & calls.makers),
        has_modules=bool(reached & calls.modules),
        maker=kind.name if kind and on_instance else "",
        bare=kind is None or (_is_bare(kind) and not node.name.startswith("__")),
    )


def _is_bare(kind: ast.ClassDef) -> bool:
    """Return whether an instance takes no arguments, as far as the class itself tells."""
    for node in kind.body:
        if isinstance(node, Function) and node.name == "__init__":
            return len(_required(node)) <= 1
    fields = (node for node in kind.body if isinstance(node, ast.AnnAssign))
    return all(field.value is not None for field in fields)


def _required(node: Function) -> list[ast.arg]:
    with_default = len(node.args.defaults)
    plain = node.args.args[: len(node.args.args) - with_default]
    pairs = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return [*plain, *(parameter for parameter, default in pairs if default is None)]

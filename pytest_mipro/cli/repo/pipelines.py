"""Find the functions of a repo that may be its pipelines, the most likely first."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_mipro.cli.repo.lm_calls import LMCalls, Place, SourceFile, files_of
from pytest_mipro.cli.repo.sources import Function, parameters_of
from pytest_mipro.cli.repo.trees import Tree

_PLAIN = re.compile(r"str|int|float|bool|list|dict|tuple|Literal|Sequence|Mapping|Optional|None")
RESERVED = frozenset({"request", "id", "split", "demo", "cluster", "wanted"})
"""Names of parameters that mean something else in a case file or a test."""


@dataclass(frozen=True)
class Pipeline:
    """A function of the top level that leads to LM calls, or a method (`Class.method`).

    `leads_to` counts the functions on its way that make them; `parameters` maps each name without
    a default to its annotation, "" without one; `output` is the annotation of what it returns.
    `has_modules` tells whether some of them are LM modules, `has_prompts` whether some are, or are
    in files that use prompt texts. `maker` is the class of which an instance has to be made first;
    `bare` tells that this takes no arguments.
    """

    source: str
    function: str
    parameters: Mapping[str, str]
    output: str
    is_async: bool
    leads_to: int
    has_modules: bool
    has_prompts: bool
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


def pipelines_in(tree: Tree) -> list[Pipeline]:
    """Return the functions of a tree that lead to LM calls, the most likely pipeline first.

    That is a function which a case can call, no step of another such one, not the start of a
    script, and of the others the one that leads to most calls.
    """
    files = files_of(tree)
    calls = LMCalls(files)
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


def _pipeline(place: Place, file: SourceFile, calls: LMCalls) -> Pipeline:
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
        has_prompts=bool(reached & calls.modules) or any(map(calls.uses_texts, reached)),
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

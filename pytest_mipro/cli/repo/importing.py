"""Import a source of the project as its tests do, and find the LM modules that it defines."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_mipro.cli.repo.project import described
from pytest_mipro.errors import ConfigurationError, MiproError
from pytest_mipro.runtime.module import LMModule

AnyModule = LMModule[..., Any]


def modules_of(path: Path) -> Iterator[AnyModule]:
    """Yield the modules that a source defines, once each.

    Raises ConfigurationError where it can't be imported.
    """
    seen = set[int]()
    for value in list(vars(_imported(path)).values()):
        if issubclass(type(value), LMModule) and id(value.signature) not in seen:
            seen.add(id(value.signature))
            if Path(value.signature.function.__code__.co_filename).resolve() == path.resolve():
                yield value


def _imported(path: Path) -> ModuleType:
    problem = "no folder of pytest's `pythonpath` is above it"
    for name in _import_names(path):
        try:
            module = importlib.import_module(name)
        except MiproError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code may raise anything
            problem = described(error)
            continue
        found = getattr(module, "__file__", None)
        if found and Path(found).resolve() == path.resolve():
            return module
    raise ConfigurationError(f"{path}: can't be imported ({problem}); correct that first")


def _import_names(path: Path) -> list[str]:
    """Return the names under which a source may be imported, from the nearest import path on."""
    roots = [Path(entry or ".").resolve() for entry in sys.path]
    package = path.resolve().parent
    while (package / "__init__.py").exists():
        package = package.parent
    above = [root for root in {*roots, package} if path.resolve().is_relative_to(root)]
    inside = [
        root
        for root in sorted(above, key=lambda root: len(root.parts), reverse=True)
        if not (root / "__init__.py").exists()  # there, it would be imported as a part of nothing
    ]
    parts = [path.resolve().relative_to(root).with_suffix("").parts for root in inside]
    names = [each[:-1] if each[-1] == "__init__" else each for each in parts]
    return [".".join(each) for each in names if all(map(str.isidentifier, each))]

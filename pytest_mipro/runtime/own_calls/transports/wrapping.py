"""Wrap methods of HTTP libraries while something is watched, and put them back afterwards."""

from __future__ import annotations

import importlib.abc
import importlib.util
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Wrapped:
    """A method to wrap: its class, its name, and what makes the wrapper of the original."""

    owner: type
    name: str
    wrapper: Callable[[Callable[..., Any]], Callable[..., Any]]


Methods = Callable[[ModuleType], Sequence[Wrapped]]


@dataclass
class _State:
    depth: int = 0
    undo: list[Callable[[], None]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.RLock)


_state = _State()


@contextmanager
def wrapping(libraries: Mapping[str, Methods]) -> Iterator[None]:
    """Wrap the methods of these libraries in the block, where they are imported, now or later.

    Blocks may nest: the outermost one wraps and restores.
    """
    with _state.lock:
        _state.depth += 1
        if _state.depth == 1:
            _begin(libraries)
    try:
        yield
    finally:
        with _state.lock:
            _state.depth -= 1
            if not _state.depth:
                while _state.undo:
                    _state.undo.pop()()


def _begin(libraries: Mapping[str, Methods]) -> None:
    finder = _ImportWatch(libraries)
    sys.meta_path.insert(0, finder)
    _state.undo.append(partial(_remove, finder))
    for name, methods in libraries.items():
        if name in sys.modules:
            _wrap(sys.modules[name], methods)


def _remove(finder: importlib.abc.MetaPathFinder) -> None:
    if finder in sys.meta_path:  # else somebody restored the list as it was before
        sys.meta_path.remove(finder)


def _wrap(library: ModuleType, methods: Methods) -> None:
    with _state.lock:
        if _state.depth:
            for each in methods(library):
                _wrap_method(library, each)


def _wrap_method(library: ModuleType, method: Wrapped) -> None:
    original = getattr(method.owner, method.name)
    if not _is_of(original, library):
        return  # a fake of the test's answers these calls
    wrapper = method.wrapper(original)
    setattr(method.owner, method.name, wrapper)

    def restore() -> None:
        if getattr(method.owner, method.name) is wrapper:  # else a fake was put above it
            setattr(method.owner, method.name, original)

    _state.undo.append(restore)


def _is_of(function: Callable[..., Any], library: ModuleType) -> bool:
    """Return whether a function's code is the library's own: fakes copy names, not code."""
    code = getattr(function, "__code__", None)
    return code is not None and _is_below(code.co_filename, library.__file__ or "")


@lru_cache(maxsize=64)  # asked for each case
def _is_below(file: str, package: str) -> bool:
    return Path(file).is_relative_to(Path(package).parent)


class _ImportWatch(importlib.abc.MetaPathFinder):
    """Wraps a library's methods once a case imports it."""

    def __init__(self, libraries: Mapping[str, Methods]) -> None:
        self._libraries = dict(libraries)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - importlib's signature
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Return the library's own spec, its loader followed by the wrapping; else None."""
        methods = self._libraries.pop(fullname, None)
        spec = importlib.util.find_spec(fullname) if methods is not None else None
        if methods is None or spec is None or spec.loader is None:
            return None
        spec.loader = _WrappingLoader(spec.loader, methods)
        return spec


class _WrappingLoader(importlib.abc.Loader):
    def __init__(self, loader: Any, methods: Methods) -> None:
        self._loader = loader
        self._methods = methods

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _wrap(module, self._methods)

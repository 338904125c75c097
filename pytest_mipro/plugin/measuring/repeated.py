"""Call one test repeatedly, each time with fresh parameters and a fresh instance.

pytest calls a test once, so a test may change what it was given. A measurement that is repeated
must not see what an earlier one left behind.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from pytest_mipro.plugin.measuring.fixtures import direct_parameters


class RepeatedTest:
    """A test that is set up, as a function that may be called any number of times.

    Each call gets deep copies of the values of `parametrize` and of case files; fixtures are
    passed as they are, and so is a value that can't be copied. A method gets a fresh instance,
    with `setup_method` and `teardown_method` around the call, and with the attributes that
    fixtures gave to the first one. A coroutine function gives its coroutine.
    """

    def __init__(
        self,
        item: pytest.Function,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        kept: bool = False,
    ) -> None:
        """With `kept`, keep the values as they are now: another call gets the originals."""
        self._function = function
        first = getattr(function, "__self__", None)
        self._owner = item.cls if item.cls and isinstance(first, item.cls) else None
        self._given = dict(getattr(first, "__dict__", {})) if self._owner else {}
        self._copied = direct_parameters(item)
        self._arguments = arguments
        if kept:
            self._arguments = self._fresh_arguments()

    def __call__(self) -> Any:
        """Call the test; raises what it raises."""
        __tracebackhide__ = True
        arguments = self._fresh_arguments()
        if self._owner is None:
            return self._function(**arguments)
        instance = self._owner()
        method = getattr(instance, self._function.__name__)
        _around(instance, "setup_method", method)
        for name, value in self._given.items():
            if name not in vars(instance):
                setattr(instance, name, value)
        if inspect.iscoroutinefunction(method):
            return _torn_down_later(instance, method, method(**arguments))
        try:
            return method(**arguments)
        finally:
            _around(instance, "teardown_method", method)

    def _fresh_arguments(self) -> dict[str, Any]:
        return {
            name: _copy(value) if name in self._copied else value
            for name, value in self._arguments.items()
        }


def _copy(value: Any) -> Any:
    if type(value) is object:
        return value  # a sentinel, known by its identity alone
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a lock, a connection, a `__deepcopy__` of the user's
        return value


async def _torn_down_later(instance: object, method: Any, result: Awaitable[object]) -> object:
    __tracebackhide__ = True
    try:
        return await result
    finally:
        _around(instance, "teardown_method", method)


def _around(instance: object, name: str, method: Any) -> None:
    """Call `setup_method` or `teardown_method` as pytest does, with the method if it takes one.

    Their work belongs to the instance, so to each call.
    """
    __tracebackhide__ = True
    function = getattr(instance, name, None)
    if function is not None:
        function(*([method] if inspect.signature(function).parameters else []))

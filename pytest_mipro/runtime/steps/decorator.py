"""`@step`: a function between modules, such as a retrieval or a tool, that traces show.

Outside a test run the function is called as it is.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from pytest_mipro.errors import ModuleDefinitionError
from pytest_mipro.runtime.calls.context import CallContext
from pytest_mipro.runtime.calls.steps import StepCall
from pytest_mipro.runtime.steps.function import Step, check_function
from pytest_mipro.runtime.text.safe_text import text_of

if TYPE_CHECKING:
    from pytest_mipro.runtime.client.contract import Reply

F = TypeVar("F", bound=Callable[..., Any])
_OBJECTS = ("self", "cls")  # a method's own object may hold a client, and its key


@overload
def step(function: F, /) -> F: ...


@overload
def step(*, cache: bool = False) -> Callable[[F], F]: ...


def step(function: Callable[..., Any] | None = None, /, *, cache: bool = False) -> Any:
    """Trace the calls of a `def` or `async def` function in marked cases: inputs, output and time.

    With `cache=True` its result is kept in the reply cache, by its qualified name, its source and
    its inputs, and is recorded and replayed as replies are; inputs and result then must be JSON
    values, and no LM module may be called within. Raises ModuleDefinitionError.
    """
    if not isinstance(cache, bool):
        raise ModuleDefinitionError(f"@step: cache must be True or False, not {cache!r:.60}")
    decorate = functools.partial(_stepped, cache=cache)
    return decorate if function is None else decorate(function)


def _stepped(function: Callable[..., Any], *, cache: bool) -> Callable[..., Any]:
    check_function(function, cache=cache)
    made = Step(function, f"{function.__module__}.{function.__qualname__}", cache)
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def stepped_async(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            context, given = made.context(), made.arguments(args, kwargs)
            if context is None or given is None:
                return await function(*args, **kwargs)
            with _Traced(made, context, given) as call:
                if cache:
                    from pytest_mipro.runtime.steps.kept import kept_async  # noqa: PLC0415 - in tests

                    return call.kept(
                        *await kept_async(made, context, given, lambda: function(*args, **kwargs))
                    )
                return call.gave(await function(*args, **kwargs))

        return stepped_async

    @functools.wraps(function)
    def stepped(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        context, given = made.context(), made.arguments(args, kwargs)
        if context is None or given is None:
            return function(*args, **kwargs)
        with _Traced(made, context, given) as call:
            if cache:
                from pytest_mipro.runtime.steps.kept import kept  # noqa: PLC0415 - in tests only

                return call.kept(*kept(made, context, given, lambda: function(*args, **kwargs)))
            return call.gave(function(*args, **kwargs))

    return stepped


class _Traced:
    """One call of a step, as a `with` block: at its end it stands in the case's trace."""

    def __init__(self, made: Step, context: CallContext, given: Mapping[str, Any]) -> None:
        self._step = made
        self._trace = context.trace
        self._place = self._trace.open(asks=False) if self._trace else 0
        self._inputs = {
            name: _type_of(value) if name in _OBJECTS else _shown(value)
            for name, value in given.items()
        }
        self._output: Any = None
        self._cached = False
        self._began = time.perf_counter()
        self._took: float | None = None

    def gave(self, value: Any) -> Any:
        """Note what the function returned, and return it."""
        self._output = _shown(value)
        return value

    def kept(self, value: Any, reply: Reply) -> Any:
        """Note a kept result, and return it."""
        self._took, self._cached = reply.latency, reply.cached
        return self.gave(value)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if self._trace is None:
            return
        took = time.perf_counter() - self._began if self._took is None else self._took
        function = self._step.function
        code = getattr(inspect.unwrap(function), "__code__", function.__code__)
        said = "" if error is None else f"{type(error).__name__}: {text_of(error)}"
        call = StepCall(self._step.name, code, self._inputs, self._output, took, self._cached, said)
        self._trace.close(self._place, call)


def _shown(value: Any) -> Any:
    """Return the value as JSON; of what has no JSON form, its type's name in angle brackets."""
    from pytest_mipro.runtime.signature.json_values import to_json  # noqa: PLC0415 - in tests only

    try:
        return _type_of(value) if _holds_iterator(value) else to_json(value)
    except Exception:  # noqa: BLE001 - a user's serializer may raise anything
        return _type_of(value)


def _holds_iterator(value: Any) -> bool:
    """Return whether a value is or holds what can be read only once, by the program."""
    if isinstance(value, Mapping):
        return any(map(_holds_iterator, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(_holds_iterator, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return any(_holds_iterator(getattr(value, each.name)) for each in dataclasses.fields(value))
    return isinstance(value, Iterator)


def _type_of(value: Any) -> str:
    return f"<{type(value).__name__}>"

"""`@lm_module`: a typed function whose body is a language model.

A call binds its arguments to the signature, renders the prompt, asks the client, parses the reply
(with one corrective retry) and records itself in the running case's trace. Sync and async modules
share one exchange; the client is awaited on the package's background loop.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, MappingProxyType
from typing import Any, Generic, ParamSpec, TypeVar, cast, overload

from pytest_mipro.errors import ModuleCallError, ModuleDefinitionError, OutputParseError
from pytest_mipro.runtime.calls.context import CallContext, current_context, remembering
from pytest_mipro.runtime.calls.exchange import Call, execute, execute_async
from pytest_mipro.runtime.calls.parameters import Parameters, checked_parameters
from pytest_mipro.runtime.calls.stack import project_stack
from pytest_mipro.runtime.calls.strays import is_offline_child
from pytest_mipro.runtime.client.contract import LMClient, Message, Request
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt
from pytest_mipro.runtime.prompts.prompt import Prompt
from pytest_mipro.runtime.prompts.prompt_file import check_prompt_path
from pytest_mipro.runtime.prompts.render import render
from pytest_mipro.runtime.settings import (
    check_model,
    check_variant,
    current_settings,
    current_variant,
    resolve_model,
)
from pytest_mipro.runtime.signature.function_signature import FunctionSignature, signature_of

P = ParamSpec("P")
R = TypeVar("R")

if is_offline_child():
    from pytest_mipro.runtime.calls.offline import close_for_good

    close_for_good()


class LMModule(Generic[P, R]):
    """A callable LM module, made by `@lm_module`; it takes the function's own arguments."""

    __name__: str  # as a function has it

    def __init__(
        self,
        signature: FunctionSignature,
        model: str | None,
        parameters: Parameters,
        override: str | None = None,
        variant: str | None = None,
        origin: LMModule[P, R] | None = None,
    ) -> None:
        self.signature = signature
        self._model = model
        self._parameters = parameters
        self._override = override  # of `using`; it beats `configure(models=…)`
        self._variant = variant  # of `using` too
        self._origin = origin or self
        functools.update_wrapper(self, signature.function)
        if signature.is_async:
            _mark_awaited(self)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the parsed output (awaited for an `async def` module).

        Raises ModuleCallError for wrong arguments, ProgramError for a reply that can't be used,
        InfrastructureError where the endpoint fails.
        """
        caller = sys._getframe(1)  # noqa: SLF001 - the documented way to the caller
        with self._in_context() as context:
            call = self._bind(context, args, kwargs, caller)
        if self.signature.is_async:
            return cast("R", execute_async(call))
        return cast("R", execute(call))

    def using(
        self,
        *,
        model: str | None = None,
        variant: str | None = None,
        private_parameters: Mapping[str, Any] | None = None,
        **parameters: Any,
    ) -> LMModule[P, R]:
        """Return the same module with another model, variant or sampling parameters for its calls.

        The variant "" is the plain prompt. Raises ModuleCallError for a model, a variant or a
        parameter that can't be used.
        """
        where = f"{self.signature.title}: using(…)"
        if model is not None:
            check_model(model, where, ModuleCallError)
        if variant:
            check_variant(variant, where, ModuleCallError)
        added = checked_parameters(parameters, private_parameters, where, ModuleCallError)
        chosen = self._variant if variant is None else variant
        return self._changed(model or self._override, chosen, self._parameters | added)

    def _changed(
        self, override: str | None, variant: str | None, parameters: Parameters
    ) -> LMModule[P, R]:
        return LMModule(self.signature, self._model, parameters, override, variant, self._origin)

    def __reduce__(self) -> str | tuple[Any, ...]:
        # By name, as functions do: a copy is the module itself, and workers import their own.
        if self._origin is self:
            return str(self.signature.function.__qualname__)
        changes = (self._override, self._variant, self._parameters)
        return LMModule._changed, (self._origin, *changes)

    @property
    def prompt(self) -> Prompt:
        """The prompt that a call would render now: the candidate's, else the committed one."""
        with self._in_context() as context:
            return self._prompt(context, self._asked())

    def messages(self, *args: P.args, **kwargs: P.kwargs) -> list[dict[str, Any]]:
        """Return the chat messages of a call, for a pipeline that makes the call itself.

        In a marked case an LM call that sends them, in a row, is the module's in the trace.
        """
        with self._in_context() as context:
            signature, inputs = self._asked(), self.signature.bind(args, kwargs)
            messages = self._render(context, signature, inputs)
        if context is not None and context.trace is not None:
            context.trace.rendered.note(messages, signature, inputs)
        return [message.sent() for message in messages]

    def request(self, *args: P.args, **kwargs: P.kwargs) -> Request:
        """Return what a call sends: model, messages, parameters, the JSON schema of the reply.

        Raises ModuleCallError for wrong arguments, ConfigurationError where no model is set.
        """
        with self._in_context() as context:
            return self._request(context, self._asked(), self.signature.bind(args, kwargs))

    def parse(self, text: str) -> Any:
        """Return the output in a reply's text; raises OutputParseError."""
        try:
            return self.signature.output.parse(text)[0]
        except OutputParseError as error:
            raise OutputParseError(f"{self.signature.title}: {error}") from None

    def __repr__(self) -> str:
        return f"<LM module {self.signature.name}>"

    @contextmanager
    def _in_context(self) -> Iterator[CallContext | None]:
        """Yield the context of a call; the case's trace remembers an error that prevents the call.

        A pipeline's `except Exception` around the call would otherwise turn an unreadable prompt
        file into an ordinary answer, and that into a score.
        """
        context = current_context(self.signature.name)
        with remembering(context.trace if context else None):
            yield context

    def _asked(self) -> FunctionSignature:
        """Return the module as it is called here and now: its variant, or the plain one."""
        chosen = current_variant() if self._variant is None else self._variant
        return self.signature.of_variant(chosen)

    def _prompt(self, context: CallContext | None, signature: FunctionSignature) -> Prompt:
        prompt = context.prompts.get(signature.prompt_path) if context else None
        return prompt or committed_prompt(signature)

    def _render(
        self, context: CallContext | None, signature: FunctionSignature, inputs: Mapping[str, Any]
    ) -> tuple[Message, ...]:
        row = context.row if context else None
        return render(signature, self._prompt(context, signature).without(row, inputs), inputs)

    def _bind(
        self,
        context: CallContext | None,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        caller: FrameType,
    ) -> Call:
        signature = self._asked()
        inputs = signature.bind(args, kwargs)
        teacher = context.teacher if context and signature.optimize else None
        model = teacher.model if teacher else None
        taught = {"temperature": teacher.temperature} if teacher else {}
        request = self._request(context, signature, inputs, model, taught)
        trace = context.trace if context else None
        return Call(
            signature,
            context.client if context else current_settings().client or _live_client(),
            request,
            inputs,
            trace,
            trace.open() if trace else 0,
            project_stack(caller) if trace else (),
        )

    def _request(
        self,
        context: CallContext | None,
        signature: FunctionSignature,
        inputs: Mapping[str, Any],
        model: str | None = None,
        taught: Mapping[str, Any] = MappingProxyType({}),
    ) -> Request:
        case = context.model if context else None
        return Request(
            model=model or resolve_model(signature, self._override, self._model, case),
            messages=self._render(context, signature, inputs),
            parameters={**self._sampling(), **taught},
            private=self._parameters.private,
            response_schema=signature.output.response_schema,
            sample=context.sample if context else 0,
        )

    def _sampling(self) -> dict[str, Any]:
        limit = current_settings().max_output_tokens
        parameters: dict[str, Any] = {"temperature": 0}
        if limit is not None:
            parameters["max_tokens"] = limit
        return parameters | dict(self._parameters.recorded)


def _live_client() -> LMClient:
    from pytest_mipro.runtime.client.providers import default_client  # noqa: PLC0415 - imports litellm

    return default_client()


def _mark_awaited(module: LMModule[..., Any]) -> None:
    """Make `iscoroutinefunction` return True for an async module, as frameworks expect."""
    if sys.version_info >= (3, 12):
        inspect.markcoroutinefunction(module)
    else:
        mark: Any = asyncio.coroutines
        vars(module)["_is_coroutine"] = mark._is_coroutine  # noqa: SLF001 - read by Python 3.11


@overload
def lm_module(function: Callable[P, R], /) -> LMModule[P, R]: ...


@overload
def lm_module(
    *,
    model: str | None = None,
    reasoning: bool = False,
    temperature: float | None = None,
    prompt: str | None = None,
    optimize: bool = True,
    private_parameters: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> Callable[[Callable[P, R]], LMModule[P, R]]: ...


def lm_module(
    function: Callable[..., Any] | None = None,
    /,
    *,
    model: str | None = None,
    reasoning: bool = False,
    temperature: float | None = None,
    prompt: str | None = None,
    optimize: bool = True,
    private_parameters: Mapping[str, Any] | None = None,
    **parameters: Any,
) -> Any:
    """Make an LM module of a typed `def` or `async def` function; its docstring is the instruction.

    `model` is a litellm model name; `reasoning=True` asks for a reasoning before the output;
    `temperature` (0 unless set) and `parameters` (`max_tokens`, …) are sent with each call, as are
    `private_parameters`, whose values are kept nowhere but as a digest;
    `prompt` is the prompt file's path relative to the source file, which then must exist (default
    `prompts/<source stem>.<function>.yaml`); `optimize=False` freezes the
    module: called, priced and traced, never a candidate. Raises ModuleDefinitionError.
    """
    where = "@lm_module"
    if model is not None:
        check_model(model, where, ModuleDefinitionError)
    for name, value in (("reasoning", reasoning), ("optimize", optimize)):
        if not isinstance(value, bool):
            raise ModuleDefinitionError(f"{where}: {name} must be True or False, not {value!r:.60}")
    if prompt is not None:
        check_prompt_path(prompt, where)
    if temperature is not None:
        parameters["temperature"] = temperature
    sent = checked_parameters(parameters, private_parameters, where, ModuleDefinitionError)

    def decorate(function: Callable[..., Any]) -> LMModule[..., Any]:
        signature = signature_of(function, prompt=prompt, reasoning=reasoning, optimize=optimize)
        return LMModule(signature, model, sent)

    return decorate if function is None else decorate(function)

"""Every error of the package, one class a cause; each text says the rule, the value and the remedy.

MiproError
├── UsageError                  the user's code, files or options are wrong
│   ├── ModuleDefinitionError   an `@lm_module` that can't work
│   ├── ModuleCallError         a module called with wrong arguments
│   ├── PromptFileError         a prompt file that can't be read or written (names path:line)
│   ├── CaseFileError           a case file that can't be read (names path:line)
│   ├── LockError               a lock that can't be read (names path:line)
│   ├── RepliesFileError        recorded replies that can't be read (names path:line)
│   └── ConfigurationError      a mark, option or setting that can't be used
│       └── UnboundedCallError  a call without price or output limit, under a budget of them
├── ProgramError              what the prompt or the pipeline caused: the case scores 0
│   ├── OutputParseError        the reply does not have the output type, twice
│   ├── ContextWindowError      the request is longer than the model takes
│   ├── RefusalError            the provider's filter refused the request or the reply
│   ├── CallLimitError          the case made more calls than `max_calls_per_case`
│   └── CaseTimeoutError        the case took longer than `mipro_case_timeout`
├── StudyStoppedError           an optimisation ended early: nothing is written
└── InfrastructureError                  what the world caused: an error, never a score
    ├── MissingKeyError         no API key for the model
    ├── MissingReplyError       no recorded reply, where nothing else may be used
    ├── UnknownModelError       no provider serves a model of this name
    ├── EndpointError           the endpoint refused the call or could not serve it
    │   └── EndpointDownError   time-out, 5xx or 429 after all retries
    │       └── UnreachableError    no connection, after all retries
    ├── CacheError              the reply cache can't be read or written
    ├── StorageError            the storage of a shared study can't be used
    ├── DetachedCallError       a module was called in a thread without the case's context
    ├── BudgetError             a call beyond what the budget reserved
    └── LimitReachedError       the bill or the time of a run has reached its limit
"""

from __future__ import annotations


class MiproError(Exception):
    """Root of all errors raised by pytest-mipro. Its text is one message for the user."""


class UsageError(MiproError):
    """The user's code, files or options are wrong; the text names the place and the remedy."""


class ModuleDefinitionError(UsageError):
    """An `@lm_module` that can't work as it is written."""


class ModuleCallError(UsageError):
    """An LM module was called with arguments that it does not take or can't render."""


class PromptFileError(UsageError):
    """A prompt file can't be read or written. The text begins with `path:line`."""


class CaseFileError(UsageError):
    """A case file can't be read. The text begins with `path:line`."""


class LockError(UsageError):
    """A lock can't be read. The text begins with `path:line`."""


class RepliesFileError(UsageError):
    """A file of recorded replies can't be read. The text begins with `path:line`."""


class ConfigurationError(UsageError):
    """A mark, an option or a setting has a value that can't be used."""


class UnboundedCallError(ConfigurationError):
    """A budget of tokens or money has to hold a call whose price or length has no bound."""


class ProgramError(MiproError):
    """The prompt or the pipeline caused this: under measurement the case scores 0."""


class OutputParseError(ProgramError):
    """A reply does not have the module's output type, also after the corrective retry."""


class ContextWindowError(ProgramError):
    """The request is longer than the model's context window."""


class RefusalError(ProgramError):
    """The provider's content filter refused the request or the reply."""


class CallLimitError(ProgramError):
    """A case made more LM calls than `max_calls_per_case` allows."""


class CaseTimeoutError(ProgramError):
    """A case took longer than `mipro_case_timeout` allows."""


class StudyStoppedError(MiproError):
    """An optimisation ended before its decision; the text says why and how to go on."""


class InfrastructureError(MiproError):
    """The world failed: the measurement is broken, and no score is drawn from it."""


class MissingKeyError(InfrastructureError):
    """No API key is set for the model, or the endpoint does not accept it."""


class MissingReplyError(InfrastructureError):
    """No reply is recorded for a request, and nothing but recorded replies may be used."""


class UnknownModelError(InfrastructureError):
    """No provider serves a model of this name."""


class EndpointError(InfrastructureError):
    """The endpoint refused the call, or could not serve it."""


class EndpointDownError(EndpointError):
    """The endpoint kept failing after all retries."""


class UnreachableError(EndpointDownError):
    """No connection to the endpoint could be made, after all retries."""


class CacheError(InfrastructureError):
    """The reply cache can't be read or written."""


class StorageError(InfrastructureError):
    """The storage of a study that several processes share can't be used, or lost this one."""


class DetachedCallError(InfrastructureError):
    """An LM module was called in a thread that does not carry the case's context."""


class BudgetError(InfrastructureError):
    """A call beyond what the budget reserved for this part of the run."""


class LimitReachedError(InfrastructureError):
    """What was billed, or the time of a run, has reached its limit: the search ends."""

"""All errors of the package, one class a cause. Each text gives the rule, the value and the remedy.

MiproError
├── UsageError                  the user's code, files or options are wrong
│   ├── ModuleDefinitionError   a function that can't be an LM module
│   ├── ModuleCallError         an LM module called with wrong arguments
│   │   └── AttachmentError     what is given makes no image or file
│   ├── PromptFileError         a prompt file that can't be used (names path:line)
│   ├── CaseFileError           a case file that can't be used (names path:line)
│   ├── LockError               a lock that can't be used (names path:line)
│   ├── RepliesFileError        recorded replies that can't be used (names path:line)
│   └── ConfigurationError      a mark, option or setting with an unusable value
│       └── UnboundedCallError  a call without price or output limit, under a budget of them
├── ProgramError                the pipeline failed under a prompt: the case scores 0
│   ├── OutputParseError        two replies in a row don't have the output type
│   ├── ContextWindowError      the request is longer than the model's context window
│   ├── RefusalError            the provider's content filter refused request or reply
│   ├── CallLimitError          the case made more calls than `max_calls_per_case`
│   └── CaseTimeoutError        the case took longer than `mipro_case_timeout`
├── StudyStoppedError           an optimisation ended early: nothing is written
└── InfrastructureError         endpoint, network or machine failed: no score at all
    ├── MissingKeyError         no API key for the model
    ├── MissingReplyError       no recorded reply, where only recorded replies are allowed
    ├── UnknownModelError       no provider serves this model
    ├── JudgeReplyError         two replies of a judge in a row don't have its output type
    ├── EndpointError           the endpoint refused the call or could not serve it
    │   └── EndpointDownError   time-out, 5xx or 429 after all retries
    │       └── UnreachableError    no connection after all retries
    ├── CacheError              the reply cache can't be read or written
    ├── StorageError            the storage of a shared study can't be used
    ├── DetachedCallError       a module called in a thread or process without the case's context
    ├── OfflineError            a case of a replay connects to another machine
    ├── BudgetError             a call beyond what the budget reserved
    └── LimitReachedError       the bill or the time of the run reached its limit
"""

from __future__ import annotations


class MiproError(Exception):
    """The base of all errors of pytest-mipro; the text is a message for the user."""


class UsageError(MiproError):
    """The user's code, files or options are wrong; the text names the place and the remedy."""


class ModuleDefinitionError(UsageError):
    """A function under `@lm_module` can't be an LM module as written."""


class ModuleCallError(UsageError):
    """An LM module was called with arguments that it doesn't take or can't render."""


class AttachmentError(ModuleCallError, ValueError):
    """No `Image` or `File` can be made of what is given, or none be sent where it stands."""


class PromptFileError(UsageError):
    """A prompt file can't be read or used. The text begins with `path:line`."""


class PromptWarning(UserWarning):
    """An instruction holds what looks like a placeholder, which nothing fills in."""


class CaseFileError(UsageError):
    """A case file can't be read. The text begins with `path:line`."""


class LockError(UsageError):
    """A lock can't be read. The text begins with `path:line`."""


class RepliesFileError(UsageError):
    """A file of recorded replies can't be read. The text begins with `path:line`."""


class ConfigurationError(UsageError):
    """A mark, option or setting has an unusable value."""


class UnboundedCallError(ConfigurationError):
    """A token or cost budget can't cover a call without a known price or output limit."""


class ProgramError(MiproError):
    """The pipeline failed under a prompt: a measured case scores 0, with this as feedback."""


class OutputParseError(ProgramError):
    """A reply doesn't have the module's output type, even after the corrective retry."""


class ContextWindowError(ProgramError):
    """The request is longer than the model's context window."""


class RefusalError(ProgramError):
    """The provider's content filter refused the request or the reply."""


class CallLimitError(ProgramError):
    """A case made more LM calls than `max_calls_per_case` allows."""


class CaseTimeoutError(ProgramError):
    """A case took longer than `mipro_case_timeout` allows."""


class StudyStoppedError(MiproError):
    """An optimisation ended before its decision; the text says why and how to continue."""


class InfrastructureError(MiproError):
    """The endpoint, the network or the machine failed: the case has no score."""


class MissingKeyError(InfrastructureError):
    """No API key is set for the model, or the endpoint rejects it."""


class MissingReplyError(InfrastructureError):
    """No reply is recorded for a request, and only recorded replies are allowed."""


class JudgeReplyError(InfrastructureError):
    """A judge's reply doesn't have its output type: that tells nothing of the pipeline."""


class UnknownModelError(InfrastructureError):
    """No provider serves a model with this name."""


class EndpointError(InfrastructureError):
    """The endpoint refused the call, or could not serve it."""


class EndpointDownError(EndpointError):
    """The endpoint kept failing after all retries."""


class UnreachableError(EndpointDownError):
    """No connection to the endpoint could be made, after all retries."""


class CacheError(InfrastructureError):
    """The reply cache can't be read or written."""


class StorageError(InfrastructureError):
    """The storage of a shared study can't be used, or has dropped this process."""


class DetachedCallError(InfrastructureError):
    """An LM module was called in a thread or child process without the case's context."""


class OfflineError(InfrastructureError, ConnectionError):
    """A case that runs on recorded replies alone connects to another machine.

    It is an OSError too, so that libraries close the socket as where a network is down.
    """


class BudgetError(InfrastructureError):
    """A call beyond what the budget reserved for this part of the run."""


class LimitReachedError(InfrastructureError):
    """The bill or the time of the run reached its limit: the search ends."""

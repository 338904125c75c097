"""Refuse images and files for models that take none, by litellm's table."""

from __future__ import annotations

from types import ModuleType

from pytest_mipro.errors import EndpointError
from pytest_mipro.runtime.client.contract import Request
from pytest_mipro.runtime.client.live.endpoints import api_base

_LOCAL = "ollama"  # litellm knows these models by name, not what they take


def check_attached(litellm: ModuleType, request: Request, configured: str | None) -> None:
    """Raise EndpointError for an image or a PDF if the table lists the model without them.

    A model that the table doesn't list, or that another endpoint serves, is asked: its endpoint
    says what it takes.
    """
    attached = [part for message in request.messages for part in message.attached]
    if not attached or api_base(request.model, configured):
        return
    try:
        known = litellm.get_model_info(request.model)
    except Exception:  # noqa: BLE001 - litellm raises a bare Exception for an unknown model
        return
    if str(known.get("litellm_provider", "")).startswith(_LOCAL):
        return
    for part in attached:
        needed = part.needs
        if needed and not known.get(needed):
            raise EndpointError(
                f"model {request.model!r} does not take {part.short}: litellm's table lists it "
                f"without {needed}; choose another model, or correct the table by "
                f"litellm.register_model({{{request.model!r}: {{{needed!r}: True}}}})"
            )

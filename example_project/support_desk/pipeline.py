"""The pipeline: three LM modules, and the two functions that the rest of Finch calls."""

from dataclasses import dataclass
from typing import Literal

from pytest_mipro import lm_module

Queue = Literal["billing", "bug", "how-to", "account", "privacy", "orders"]


@dataclass(frozen=True)
class TicketFacts:
    """What the desk needs to know of a ticket."""

    problem: str
    details: list[str]


@lm_module
def read_ticket(ticket: str) -> TicketFacts:
    """Sum up the customer's problem and list its details, in three sentences at most."""


@lm_module
def choose_queue(problem: str, details: list[str], product: str) -> Queue:
    """Choose the queue that should handle the ticket."""


@lm_module
def draft_reply(ticket: str, queue: Queue) -> str:
    """Write a short, friendly reply to the customer. Quote the order or invoice number."""


def route(ticket: str, product: str) -> Queue:
    """Return the queue that handles the ticket."""
    facts = read_ticket(ticket=ticket)
    return choose_queue(problem=facts.problem, details=facts.details, product=product)


def answer(ticket: str, product: str) -> str:
    """Return the draft of a reply, written for the queue that the ticket goes to."""
    return draft_reply(ticket=ticket, queue=route(ticket, product))

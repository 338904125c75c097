"""The one notation of a figure with its interval, on screen, in reports and in reasons."""

from __future__ import annotations


def with_interval(figure: float, low: float, high: float, sign: str = "") -> str:
    """Return "0.600 (0.23 to 0.88)"; with the sign "+", as a difference: "+0.100 (-0.02 to +0.21)".

    The interval is two-sided at 95 %.
    """
    return f"{figure:{sign}.3f} ({low:{sign}.2f} to {high:{sign}.2f})"

"""Format numbers for sentences."""

from __future__ import annotations


def counted(count: float, one: str, many: str = "") -> str:
    """Return "1 case", "2,000 cases"; `many` is the plural where it is not `one` and an "s"."""
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"


def plain(value: float) -> str:
    """Return a number with two digits, more only where it has more."""
    text = f"{value:.2f}"
    return text if float(text) == value else f"{value:.6g}"


def measured(value: float) -> str:
    """Return a number of any size with about three digits: "0.820", "31.5", "1,520"."""
    size = abs(value)
    if 0 < size < 0.01:
        return f"{value:.3g}"
    return f"{value:.3f}" if size < 10 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def apart(value: float, limit: float) -> tuple[str, str, str]:
    """Return value, limit and distance with as many digits as it takes to tell them apart."""
    for digits in range(2, 9):
        shown, needed = f"{value:.{digits}f}", f"{limit:.{digits}f}"
        if shown != needed and float(needed) == limit:
            return shown, needed, f"{abs(float(shown) - float(needed)):.{digits}f}"
    return repr(value), repr(limit), f"{abs(value - limit):.1e}"

"""By which name a test imports a source of the project."""

from __future__ import annotations

import keyword
from collections.abc import Iterable
from pathlib import PurePosixPath

from pytest_mipro.errors import ConfigurationError


def import_name(source: str, roots: Iterable[str]) -> str:
    """Return the module that a test imports from a source, by the innermost root above it.

    Raises ConfigurationError where a folder or the file has a name that no import can state.
    """
    path = PurePosixPath(source)
    package = path.parent if path.stem == "__init__" and path.parent.name else path.with_suffix("")
    inside = [root for root in map(PurePosixPath, (*roots, ".")) if root in package.parents]
    root = max(inside, key=lambda each: len(each.parts))
    parts = package.relative_to(root).parts
    wrong = next((part for part in parts if not _is_name(part)), None)
    if wrong is not None:
        folder = folder_without_name(source)
        remedy = "rename it" if wrong == package.name else f"add {folder} to pytest's pythonpath"
        raise ConfigurationError(
            f"{source}: a test can't import it, since {wrong!r} is no name in Python; {remedy}, "
            "and run this again"
        )
    return ".".join(parts)


def folder_without_name(source: str) -> str:
    """Return the folder of a source, or above, that no import can name, or its `src`; else ""."""
    folders = PurePosixPath(source).parent
    found = (each for each in (folders, *folders.parents) if each.name and not _is_name(each.name))
    folder = next(found, None)
    if folder is None:
        return ""
    below = folder / "src"  # a project of its own, whose packages name each other from there
    return str(below if below in folders.parents else folder)


def _is_name(text: str) -> bool:
    return text.isidentifier() and not keyword.iskeyword(text)

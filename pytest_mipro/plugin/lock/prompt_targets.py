"""Check where prompts, locks and replies may be written, before the first paid call."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.lock.lock_file import Lock
from pytest_mipro.runtime.signature.signature import Signature

VERSION_CONTROL = (".git", ".hg", ".svn")
_INSTALLED = frozenset({"site-packages", "dist-packages"})


def check_targets(signatures: Iterable[Signature], ini_folder: Path) -> None:
    """Refuse prompt paths that a study must not write.

    With links followed, each must be writable, outside site-packages, and inside the work tree of
    `ini_folder` (or inside that folder). No two modules may share one, ignoring case.
    Raises ConfigurationError, one line that names the module.
    """
    root = work_tree(ini_folder)
    owners: dict[str, Signature] = {}
    for signature in signatures:
        _check_target(signature, root)
        owner = owners.setdefault(_folded(signature.prompt_path), signature)
        if (*owner.source, owner.variant) != (*signature.source, signature.variant):
            remedy = "variant another name" if owner.variant else "of them another `prompt=`"
            raise ConfigurationError(
                f"{signature.where}: its prompt file {signature.prompt_path} also belongs "
                f"to {owner.full_name!r} ({':'.join(map(str, owner.source))}); give one {remedy}"
            )


def check_study_file(path: Path, ini_folder: Path) -> None:
    """Refuse a lock or replies file that a link leads out of the work tree of `ini_folder`.

    Raises ConfigurationError, one line.
    """
    root, target = work_tree(ini_folder), path.resolve()
    if target != path.parent.resolve() / path.name and not is_inside(target, root):
        raise ConfigurationError(
            f"{path}: a link to {target}, outside the project {root}; replace it by the file itself"
        )


def check_private_folder(folder: Path, ini_folder: Path) -> None:
    """Refuse a private folder that a link leads out of the work tree of `ini_folder`.

    A repo could have everything below it written to any place. Raises ConfigurationError, one line.
    """
    if folder.is_symlink() and not is_inside(folder.resolve(), work_tree(ini_folder)):
        raise ConfigurationError(
            f"{folder}: a link to {folder.resolve()}, outside the project; delete the link, and "
            "keep replies elsewhere with --mipro-cache=PATH"
        )


def check_conflicts(
    locks: Mapping[Path, Lock], called: Mapping[Path, Iterable[Signature]] = MappingProxyType({})
) -> None:
    """Refuse two studies that claim the same module's prompt.

    `locks` maps a lock's path to its content, `called` to the modules that the study's last gate
    run called. Raises ConfigurationError, one line.
    """
    owners: dict[str, Path] = {}
    for path in sorted({*locks, *called}):
        modules = locks[path].modules if path in locks else ()
        claims = {
            Path(os.path.normpath(path.parent / module.prompt_path)): module.name
            for module in modules
            if not module.frozen
        }
        claims |= {it.prompt_path: it.name for it in called.get(path, ()) if it.optimize}
        for target, name in claims.items():
            owner = owners.setdefault(_folded(target), path)
            if owner != path:
                told = "" if path in locks and owner in locks else ", by their last run of pytest"
                raise ConfigurationError(
                    f"{path}: module {name!r} also belongs to the study of {owner}{told}, and two "
                    'studies can\'t write one prompt; join them with `study="name"`, freeze the '
                    "module with `optimize=False`, or optimise one study at a time"
                )


def work_tree(folder: Path) -> Path:
    """Return the root of the folder's version-control work tree, or the folder without one."""
    folder = folder.resolve()
    for candidate in (folder, *folder.parents):
        if any((candidate / name).exists() for name in VERSION_CONTROL):
            return candidate
    return folder


def is_inside(path: Path, root: Path) -> bool:
    """Return whether a resolved path is a place for files of the project `root`."""
    return path.is_relative_to(root) and set(VERSION_CONTROL).isdisjoint(
        path.relative_to(root).parts
    )


def _check_target(signature: Signature, root: Path) -> None:
    path, remedy = signature.prompt_path.resolve(), "correct that"
    parent = next(folder for folder in path.parents if folder.exists())
    if _INSTALLED.intersection(path.parts):
        problem = "belongs to an installed package"
        remedy = "install the project editable, or freeze the module with `optimize=False`"
    elif not is_inside(path, root):
        problem = f"is outside the project {root}, or inside its version control"
        remedy = "move it there, or freeze the module with `optimize=False`"
    elif path.exists() and not path.is_file():
        problem = "is not a file"
    elif not parent.is_dir():
        problem = f"can't be written: {parent} is not a folder"
    elif not os.access(parent, os.W_OK | os.X_OK):
        problem = f"can't be written: no permission in {parent}"
    elif path.exists() and not os.access(path, os.W_OK):
        problem = "can't be written: it is read-only"
    else:
        return
    raise ConfigurationError(f"{signature.where}: its prompt file {path} {problem}; {remedy}")


def _folded(path: Path) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()

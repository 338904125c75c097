"""The file that pytest reads its settings from, read without a run of pytest."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as IniError
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.errors import ConfigurationError


@dataclass(frozen=True)
class Ini:
    """The file by its name, its section as it is written, and the values; "" for no file."""

    file: str
    section: str
    values: Mapping[str, Any]

    def words(self, name: str) -> list[str]:
        """Return the words of a setting, which TOML may have as a list."""
        setting = self.values.get(name)
        words = setting.split() if isinstance(setting, str) else setting
        return [each for each in words if isinstance(each, str)] if isinstance(words, list) else []


def read_ini(root: Path) -> Ini:
    """Return what pytest reads in the project's root; ConfigurationError for an unreadable file."""
    for name in ("pytest.toml", ".pytest.toml"):
        if pytest.version_tuple >= (9,) and (root / name).exists():  # older ones read none
            return Ini(name, "[pytest]", _table(_toml(root / name), "pytest"))
    for name in ("pytest.ini", ".pytest.ini"):
        if (root / name).exists():
            return Ini(name, "[pytest]", _section(root / name, "pytest") or {})
    pyproject = root / "pyproject.toml"
    if pyproject.exists():
        tool = _table(_toml(pyproject), "tool")
        if "pytest" in tool:
            name, options = pyproject.name, _table(tool, "pytest")
            if "ini_options" in options:
                return Ini(name, "[tool.pytest.ini_options]", _table(options, "ini_options"))
            return Ini(name, "[tool.pytest]", options)
    for name, section in (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest")):
        found = _section(root / name, section)
        if found is not None:
            return Ini(name, f"[{section}]", found)
    return Ini("", "", {})


def _toml(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name}: can't be read ({error}); correct it there"
        ) from None


def _table(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a table of a TOML file; what is none there, pytest complains of."""
    found = values.get(name)
    return found if isinstance(found, dict) else {}


def _section(path: Path, section: str) -> Mapping[str, Any] | None:
    parser = ConfigParser(interpolation=None)
    if not path.exists():
        return None
    try:
        parser.read_string(path.read_text(encoding="utf-8"), source=path.name)
    except (IniError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path.name}: can't be read ({' '.join(str(error).split())}); correct it there"
        ) from None
    return dict(parser[section]) if parser.has_section(section) else None

"""The optimiser names no option of the command line and no ini key: the plugin does."""

import re
from pathlib import Path

import pytest_mipro.optimizer

SOURCES = Path(pytest_mipro.optimizer.__file__).parent.rglob("*.py")
NAME = re.compile(r"--mipro-[a-z-]+|(?<!pytest_)\bmipro_[a-z_]+")


def test_no_source_names_an_option_or_ini_key() -> None:
    named = {name for source in SOURCES for name in NAME.findall(source.read_text())}
    assert named == set()

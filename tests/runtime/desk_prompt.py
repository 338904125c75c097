"""The prompt file of a module `desk.f`: its path in errors, and a text of it."""

from pathlib import Path

HERE = Path("desk.yaml")
GOOD = "schema_version: 1\nmodule: desk.f\ninstruction: Go.\n"

"""`pytest_mipro.extending`: every name resolves, lazily, and every field is documented."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from pytest_mipro import extending
from pytest_mipro.plugin import hookspecs

CLASSES = {
    name: found
    for name in extending.__all__
    if isinstance(found := getattr(extending, name), type) and typing.get_origin(found) is None
}


def test_every_name_resolves_and_no_other() -> None:
    assert all(name in dir(extending) for name in extending.__all__)
    named = " ".join(extending._HOMES.values()).split()
    assert sorted(named) == extending.__all__
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        getattr(extending, "Nothing")  # noqa: B009


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_field_is_in_the_docstring(name: str) -> None:
    kind = CLASSES[name]
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    public = [field.name for field in fields if not field.name.startswith("_")]
    missing = [field for field in public if not re.search(f"`{field}`", kind.__doc__ or "")]
    assert not missing, f"{kind.__module__}.{name} does not document {missing}"
    methods = [value for key, value in vars(kind).items() if key[0] != "_" and callable(value)]
    assert all(method.__doc__ for method in methods)


def test_the_types_of_the_hooks_are_here() -> None:
    text = Path(hookspecs.__file__).read_text()
    block = text[text.index("if TYPE_CHECKING") : text.index("@pytest.hookspec")]
    ours = re.findall(r"from pytest_mipro\.[\w.]+ import (.+)", block)
    names = {name.strip() for line in ours for name in line.split(",")}
    assert names
    assert names <= set(extending.__all__)


def test_a_client_loads_no_optimiser() -> None:
    code = (
        "import sys\nfrom pytest_mipro.extending import LMClient, Reply\n"
        "assert not [n for n in sys.modules if n.startswith('pytest_mipro.optimizer')]\n"
        "assert 'pytest' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

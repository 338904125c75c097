"""What the last gate run took: of a damaged file, nothing is known."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from pytest_mipro.plugin.gate.usage_file import GateUsage, read_usage
from pytest_mipro.plugin.measuring.report_data import CallUsage, ModuleUsage

MODULE = ModuleUsage("desk.say", "m", CallUsage(3, 0, 40, 9, 0.25), seconds=1.5)
USAGE = GateUsage(3, 6, 6, "m", (MODULE,), shared=(MODULE,), lending=2)


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "usage.json"
    path.write_text(text)
    return path


def places(value: Any, *above: Any) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inner:
        yield (*above, key)
        if isinstance(item, (dict, list)):
            yield from places(item, *above, key)


def test_it_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_usage(written(tmp_path, json.dumps(asdict(USAGE)))) == USAGE


@pytest.mark.parametrize("text", ["[" * 100_000, '{"rows": NaN}', "[]", "{}", "\0"], ids=range(5))
def test_of_what_is_no_such_file_nothing_is_known(tmp_path: Path, text: str) -> None:
    assert read_usage(written(tmp_path, text)) is None


def test_each_field_of_another_type_is_read_as_what_it_is_or_not_at_all(tmp_path: Path) -> None:
    good = json.loads(json.dumps(asdict(USAGE)))
    refused = []
    for *above, last in places(good):
        bad = copy.deepcopy(good)
        holder = bad
        for key in above:
            holder = holder[key]
        holder[last] = [{"a": 1}]
        usage = read_usage(written(tmp_path, json.dumps(bad)))
        if usage is None:
            refused.append(last)
        else:
            assert usage.calls == USAGE.calls
    assert {"rows", "calls", "cost", "instruction", "module", "lending", "shared"} <= {*refused}

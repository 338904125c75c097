"""Tell which rows are one: equal inputs under other names, and related rows, belong together."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_mipro.runtime.calls.trace import ModuleCall


@dataclass(frozen=True)
class RowTag:
    """What is known of a row from one of its cases.

    `row` is its key and `split` the place that its column asks for. `content` is a digest of its
    values, by which it is ranked ("": its key is all there is). Rows of one `cluster` ("": none)
    are related. `seen` is a digest of what the row's case in `test` is about, "" if not known.
    """

    row: str
    split: str | None = None
    content: str = ""
    cluster: str = ""
    test: str = ""
    seen: str = ""


def content_digest(values: object) -> str:
    """Return 16 hex digits of JSON values; the order of keys changes nothing."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def seen_digest(calls: Iterable[ModuleCall]) -> str:
    """Return a digest of the inputs that a case's calls showed to the modules to optimise.

    Two cases with one digest are the same case to every model, whatever their ids and labels are.
    Frozen modules are left out: a judge sees the label. "" where the calls don't tell the case:
    none has inputs, or one failed, so that later ones are missing.
    """
    made = [call for call in calls if call.signature.optimize]
    if any(call.error for call in made):
        return ""
    inputs = {
        json.dumps([call.signature.name, dict(call.inputs)], sort_keys=True)
        for call in made
        if call.inputs
    }
    return content_digest(sorted(inputs)) if inputs else ""


def equal_rows(tags: Iterable[RowTag]) -> dict[str, str]:
    """Return for each row the first key, in the order of keys, of the rows that are equal to it.

    Rows are equal if they show the same in every test that both are in, and share one.
    """
    seen: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for tag in tags:
        tests = seen[tag.row]
        if tag.seen:
            tests[tag.test].add(tag.seen)
    first: dict[tuple[str, frozenset[str]], str] = {}
    groups = _Groups()
    for row in sorted(seen):
        groups.root(row)
        for test, shown in seen[row].items():
            other = first.setdefault((test, frozenset(shown)), row)
            if all(seen[other].get(name, its) == its for name, its in seen[row].items()):
                groups.join(other, row)
    return groups.roots()


def units_of(tags: Iterable[RowTag]) -> dict[str, str]:
    """Return for each row the first key of its unit: of the rows that must stay together.

    These are equal rows and rows of one cluster. A unit is what split and intervals count by.
    """
    known = list(tags)
    groups = _Groups()
    for row, first in equal_rows(known).items():
        groups.join(first, row)
    clusters: dict[str, str] = {}
    for tag in known:
        if tag.cluster:
            groups.join(clusters.setdefault(tag.cluster, tag.row), tag.row)
    return groups.roots()


class _Groups:
    """Disjoint groups of rows, each known by its first key (Galler & Fischer's union-find)."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, row: str) -> str:
        """Return the first key of the row's group; a new row is its own group."""
        parent = self._parent.setdefault(row, row)
        while parent != self._parent[parent]:
            self._parent[row] = parent = self._parent[parent]
        return parent

    def join(self, one: str, other: str) -> None:
        """Make the groups of two rows one."""
        first, second = sorted((self.root(one), self.root(other)))
        self._parent[second] = first

    def roots(self) -> dict[str, str]:
        """Return the first key of each row's group, by row."""
        return {row: self.root(row) for row in list(self._parent)}


def unit_contents(tags: Iterable[RowTag], units: Mapping[str, str]) -> dict[str, str]:
    """Return a digest of each unit's content: of its members' smallest one.

    It is hashed again, or units of many rows would come first in every ranking.
    """
    contents: dict[str, str] = {}
    for tag in tags:
        unit, content = units[tag.row], tag.content or content_digest(tag.row)
        contents[unit] = min(content, contents.get(unit, content))
    return {unit: content_digest(content) for unit, content in contents.items()}

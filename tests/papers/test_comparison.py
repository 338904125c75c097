"""docs/comparison.md: each figure is one of benchmarks/README.md, or of the docs that quote it."""

from __future__ import annotations

import re

from pages import ROOT

PAGE = (ROOT / "docs/comparison.md").read_text(encoding="utf-8")
MEASURED = (ROOT / "benchmarks/README.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| ((?:pytest-mipro|DSPy) [^|]+?) \| (.+) \|$", re.MULTILINE)


def cells(text: str) -> dict[str, list[str]]:
    return {name: row.split(" | ") for name, row in reversed(_ROW.findall(text))}


def test_each_row_is_a_measured_one() -> None:
    measured = cells(
        MEASURED.partition("Means over worlds and seeds")[2].partition("Test score")[0]
    )
    shown = cells(PAGE)
    assert shown.keys() == measured.keys()
    for name, (_, before, after, _, calls, tokens, seconds) in measured.items():
        assert shown[name] == [before, after, calls, tokens, seconds]


def test_the_world_that_went_badly_is_told_as_measured() -> None:
    by_world = cells(MEASURED.partition("Test score by world")[2].partition("Difference in")[0])
    staged = {name: row[3].split()[0] for name, row in by_world.items()}
    mipro, peer = staged["pytest-mipro light"], staged["DSPy MIPROv2 light"]
    assert mipro < peer
    assert f"scores {peer} and pytest-mipro {mipro}" in " ".join(PAGE.split())


def test_the_versions_and_the_errors_are_those_measured() -> None:
    assert "DSPy 3.4.1 and\ngepa 0.1.4" in MEASURED
    assert "DSPy 3.4.1, gepa 0.1.4" in PAGE
    labels = MEASURED.partition("| rows | each text |")[2].partition("\n\n")[0]
    rows = [line.split("|")[3:5] for line in labels.splitlines()[2:]]
    written = [round(int(runs) * int(share.strip(" %")) / 100) for runs, share in rows]
    assert f"{sum(written)} of {sum(int(runs) for runs, _ in rows)} runs" in PAGE

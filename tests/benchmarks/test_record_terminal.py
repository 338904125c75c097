"""The README's picture of a terminal: small, self-contained, and of the run that it shows."""

import re
from pathlib import Path

SVG = (Path(__file__).parents[2] / "docs" / "images" / "terminal.svg").read_text(encoding="utf-8")


def test_the_picture_is_small_and_loads_nothing():
    assert len(SVG.encode()) < 100_000
    assert "@font-face" not in SVG
    assert not re.search(r"(?:href|src|url)\s*[=(]\s*[\"']?https?:", SVG)


def test_it_shows_the_area_and_the_five_lines_of_the_end():
    shown = re.sub(r"<[^>]+>", "", SVG).replace("&#160;", " ")
    for label in ("% of the search", "spent", "answered", "score", "files", "cost", "next"):
        assert label in shown

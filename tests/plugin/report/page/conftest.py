"""The report page of a study whose texts are attacks, opened in a headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, opened_browser
from page_study import EVIL, study

from pytest_mipro.plugin.report.page.page import report_page


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened_browser(tmp_path_factory.mktemp("browser")) as page:
        yield page


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(report_page(f"{EVIL}.mipro.json", study, str), encoding="utf-8")
    return path


@pytest.fixture
def page(browser: Page, path: Path) -> Iterator[Page]:
    browser.look(1400, 900)
    browser.problems.clear()
    browser.requested.clear()
    browser.open(path)
    yield browser
    assert not browser.problems
    assert set(browser.requested) == {path.as_uri()}

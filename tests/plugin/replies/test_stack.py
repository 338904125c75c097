"""The run's live client keeps to the options: what the ini file says of rates reaches it."""

from __future__ import annotations

import pytest

from pytest_mipro.plugin.replies.client_stack import live_client
from pytest_mipro.runtime.client.live.litellm_client import LiveSettings

pytest_plugins = "pytester"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[LiveSettings]:
    made: list[LiveSettings] = []
    monkeypatch.setattr("pytest_mipro.plugin.replies.client_stack.ProviderClient", made.append)
    return made


def test_the_ini_file_sets_what_calls_keep_to(pytester, settings):
    pytester.makeini(
        "[pytest]\nmipro_concurrency = 4\nmipro_requests_per_minute = 500\n"
        "mipro_timeout = 2.5\n"
        "mipro_api_base = http://localhost:1/v1"
    )
    live_client(pytester.parseconfig())
    assert settings == [
        LiveSettings(
            concurrency=4,
            requests_per_minute=500,
            timeout=2.5,
            api_base="http://localhost:1/v1",
        )
    ]


def test_without_them_the_endpoint_alone_limits(pytester, settings):
    live_client(pytester.parseconfig())
    assert settings == [LiveSettings()]

"""A DSPy program whose instruction comes from a file; DSPy's own cache would hide its calls."""

from __future__ import annotations

import litellm  # noqa: F401 - imported within an inner run, it would break metadata for the next one
import pytest
from adopted import adopt, check_all_steps


@pytest.mark.usefixtures("litellm_clients_closed")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_joins_with_its_signature_and_its_adapter(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DSPY_CACHEDIR", str(pytester.path / "dspy"))
    pytest.importorskip("dspy")
    repo = adopt(pytester, "dspy_program")
    check_all_steps(
        repo,
        lambda pipeline, row: pipeline.desk(ticket=row["ticket"]).team == row["team"],
        modules={"triage.md"},
        model="openai/simulated/small",
    )

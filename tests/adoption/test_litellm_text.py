"""`litellm.completion` with its prompt in a text file."""

from __future__ import annotations

import litellm  # noqa: F401 - imported within an inner run, it would break metadata for the next one
import pytest
from adopted import adopt, check_all_steps


@pytest.mark.usefixtures("litellm_clients_closed")
@pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_it_joins_with_its_client_and_its_text_file(pytester: pytest.Pytester) -> None:
    repo = adopt(pytester, "litellm_text")
    found = check_all_steps(
        repo,
        lambda pipeline, row: pipeline.triage(row["ticket"]) == row["team"],
        modules={"triage.txt"},
        model="openai/simulated/small",
    )
    assert [module["prompt_path"] for module in found["modules"]] == ["prompts/triage.txt"]
    assert "{company}" in repo.prompts()["triage.txt"]

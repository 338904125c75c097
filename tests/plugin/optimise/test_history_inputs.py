"""A module with a chat history is measured, optimised and recorded as any other."""

import json

import yaml
from optimize_project import PIPELINE, PROMPT, optimize, run, write_project

OWN = PIPELINE.replace("import lm_module", "import History, lm_module").replace(
    "number: str)", "number: str, history: History)"
)
TESTS = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    asked = {"role": "user", "content": f"Is {number + 1} odd?"}
    talk = [asked, {"role": "assistant", "content": "?"}]
    assert parity(str(number), talk) == ("odd" if number % 2 else "even")
"""


def test_its_demos_and_the_material_of_proposals_hold_the_turns(pytester):
    write_project(pytester, TESTS)
    (pytester.path / "pipeline.py").write_text(OWN)
    optimize(pytester)
    demos = yaml.safe_load((pytester.path / PROMPT).read_text())["demos"]
    assert [turn["role"] for turn in demos[0]["inputs"]["history"]] == ["user", "assistant"]
    (record,) = pytester.path.glob(".mipro/records/*.jsonl")
    saw = [
        line["saw"] for line in map(json.loads, record.read_text().splitlines()) if "saw" in line
    ]
    assert saw
    assert all("the conversation so far" in str(messages) for messages in saw)
    assert any('<history>\n[{"role": "user"' in messages[-1][1] for messages in saw)
    for mode in ("record", "replay"):
        result = run(pytester, f"--mipro-replies={mode}")
        result.stdout.fnmatch_lines(["40 LM calls: 40 *, 0 live; *"])
        assert result.ret == 0

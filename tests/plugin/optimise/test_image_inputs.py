"""A module with an image is measured, optimised without demos and recorded; no file holds it."""

import base64
import json

import yaml
from optimize_project import PIPELINE, PROMPT, optimize, run, write_project

OWN = PIPELINE.replace("import lm_module", "import Image, lm_module").replace(
    "number: str)", "number: str, photo: Image)"
)
DATA = b"\x89PNG\r\n\x1a\n" + b"a picture of no number" * 99
TESTS = f"""
from pytest_mipro import Image
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_parity(number):
    photo = Image.from_bytes({DATA!r})
    assert parity(str(number), photo) == ("odd" if number % 2 else "even")
"""


def test_it_is_optimised_and_shown_by_a_short_text(pytester):
    write_project(pytester, TESTS)
    (pytester.path / "pipeline.py").write_text(OWN)
    optimize(pytester, "--mipro-json=report.json")
    prompt = yaml.safe_load((pytester.path / PROMPT).read_text())
    assert "carefully" in prompt["instruction"]
    assert not prompt["demos"]
    for mode in ("record", "replay"):
        result = run(pytester, f"--mipro-replies={mode}", "--mipro-show", "--mipro-json=gate.json")
        result.stdout.fnmatch_lines(["*[[]image/png, 2.2 kB, *", "40 LM calls: 40 *, 0 live; *"])
        assert result.ret == 0
        assert len(result.stdout.str()) < 200_000
    (record,) = pytester.path.glob(".mipro/records/*.jsonl")
    saw = [
        line["saw"] for line in map(json.loads, record.read_text().splitlines()) if "saw" in line
    ]
    assert any("<photo>\n[image/png, 2.2 kB, " in messages[-1][1] for messages in saw)
    held = base64.b64encode(DATA[30:90])[2:60]
    files = [path for path in pytester.path.rglob("*") if path.is_file() and path.suffix != ".py"]
    assert len(files) > 8
    assert not [path for path in files if held in path.read_bytes()]

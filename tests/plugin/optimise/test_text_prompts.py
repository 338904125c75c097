"""A module with a text file is optimised without demos; the file stays a text."""

from optimize_project import LOCK, PIPELINE, optimize, write_project

OWN = PIPELINE.replace("@lm_module", '@lm_module(prompt="prompts/parity.md")').replace(
    '    """Say whether the number is odd."""', "    ..."
)


def test_an_instruction_file_is_written_as_text_and_gets_no_demos(pytester):
    write_project(pytester)
    (pytester.path / "pipeline.py").write_text(OWN)
    path = pytester.path / "prompts" / "parity.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("Say whether the number is odd.\n")
    result = optimize(pytester)
    result.stdout.fnmatch_lines(["*+Look carefully at the last digit, way *"])
    assert path.read_text().startswith("Look carefully at the last digit, way ")
    assert path.read_text().count("\n") == 1
    assert '"demos"' not in path.read_text()
    assert "prompts/parity.md" in (pytester.path / LOCK).read_text()

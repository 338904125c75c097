"""`--mipro-diff`: everything is measured and shown, nothing is written."""

from optimize_project import LOCK, PROMPT, optimize, write_project, written


def test_the_diff_is_shown_whole_and_nothing_is_written(pytester):
    write_project(pytester)
    result = optimize(pytester, "--mipro-diff")
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            f"+++ b/{PROMPT}",
            "+  Look carefully *",
            "nothing written for test_numbers.py (--mipro-diff)",
        ]
    )
    result.stdout.no_fnmatch_line("wrote *")
    assert written(pytester) == {}
    assert not (pytester.path / PROMPT).parent.exists()
    assert not (pytester.path / ".mipro/pending-writes.json").exists()


def test_a_following_run_without_it_writes_what_was_shown(pytester):
    write_project(pytester)
    shown = optimize(pytester, "--mipro-diff").outlines
    optimize(pytester)
    prompt = (pytester.path / PROMPT).read_text().splitlines()
    assert [f"+{line}" for line in prompt] == [
        line for line in shown if line.startswith("+") and not line.startswith("+++")
    ]
    assert (pytester.path / LOCK).exists()


def test_a_prompt_file_that_is_there_is_shown_as_changed(pytester):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    text = "schema_version: 1\nmodule: pipeline.parity\ninstruction: Guess.\ndemos: []\n"
    prompt.write_text(text)
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines([f"--- a/{PROMPT}", f"+++ b/{PROMPT}", "-instruction: Guess."])
    assert prompt.read_text() == text


HIDING = r"""
plain = reply

def reply(request):
    return plain(request).replace("way ", "\u202eway\u200b ")
"""


def test_characters_that_cannot_be_seen_are_escaped_and_named(pytester):
    write_project(pytester, conftest=HIDING)
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines(
        [
            "+  Look carefully at the last digit, \\u202eway\\u200b *",
            f"{PROMPT} holds characters that can't be seen: U+200B, U+202E",
        ]
    )
    assert not {"\u202e", "\u200b"} & set(result.stdout.str())

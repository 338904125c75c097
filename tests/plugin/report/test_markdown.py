"""`--mipro-markdown`: a comment for a pull request, in which foreign text means nothing."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from gate_project import TESTS, WORDS, lock_text, write_gate, write_prompt, write_words
from hypothesis import given
from hypothesis import strategies as st
from judged import passing, verdict_on
from markdown_it import MarkdownIt
from optimize_project import TESTS as OPTIMIZED
from optimize_project import optimize, write_project

from pytest_mipro.plugin.report.contents import GatedStudy, RunReport
from pytest_mipro.plugin.report.markdown import MAX_CHARS, markdown_report
from pytest_mipro.plugin.report.markdown_text import Words, table, within

RENDERER = MarkdownIt("gfm-like", {"linkify": False})
NASTY = (
    "a|b `c` **d** [e](http://f.invalid) <script>alert(1)</script> <!-- g --> @octocat #12 "
    "&amp; $x$ ~~h~~ \\| https://i.invalid www.j.invalid | <details> ``` ![k](l)"
)


def markdown(pytester: pytest.Pytester, name: str = "out.md") -> str:
    return (pytester.path / name).read_text(encoding="utf-8")


def shown(html: str) -> str:
    """Return what a reader sees of rendered HTML: the text without tags."""
    return unescape(re.sub(r"<[^>]+>", "", html))


def cells(html: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    rows = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]


def words() -> Words:
    return Words(lambda text: text)


@given(st.text(max_size=60) | st.text("|`*_[]()<>!@#&\\~$:.-+=\"' \n\tab1", max_size=60))
def test_any_text_is_one_cell_that_shows_it(text):
    code = words().code(text)
    html = RENDERER.render("\n".join(table(("case", "said"), [["x", code], ["y", "z"]])))
    rows = cells(html)
    assert [len(row) for row in rows] == [2, 2, 2]
    printable = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    assert shown(rows[1][1]) == printable
    tags = re.findall(r"<[^>]+>", rows[1][1])
    assert tags == (["<code>", "</code>"] if printable else [])


@given(st.text("|`*_[]()<>!@#&\\~$:.-+=\"' ab1", max_size=60))
def test_a_sentence_is_one_paragraph_without_markup(text):
    html = RENDERER.render(f"- {words().prose(f'x{text}x')}")
    assert re.findall(r"<[^>]+>", html) == ["<ul>", "<li>", "</li>", "</ul>"]
    seen = shown(html).strip()
    assert seen.replace("\u2060", "") == " ".join(f"x{text}x".split())
    assert not re.search(r"[@#]\w", seen)  # nobody is mentioned, no issue is meant


def test_a_gate_in_short(pytester):
    write_gate(pytester, TESTS.replace("0.1", "0.9"))
    pytester.runpytest("--mipro-update-lock")
    write_words(pytester, (*WORDS[:-1], "seven"))
    result = pytester.runpytest("--mipro-markdown=out.md")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*- mipro: wrote out.md -*"])
    html = RENDERER.render(markdown(pytester))
    assert "<h3>pytest-mipro: 1 of 1 verdict failed</h3>" in html
    head, row, *_ = cells(html)
    assert head == ["test", "verdict", "mean (95 %)", "against the lock", "cases"]
    assert shown(row[0]) == "test_say"
    assert row[1] == "<strong>FAILED</strong>"
    assert row[2].startswith("0.167 (")
    assert row[3].startswith("+0.000 (")
    assert row[4] == "6, 5 missed"
    text = shown(html)
    assert "test_say: mean 0.17 is below the threshold 0.90 by 0.73" in text
    assert "cases differ (1 new, 1 gone): compared on the 5 common ones" in text
    assert "Worst cases of test_say (5)" in text
    assert "got 'two', wanted 'TWO'" in text
    assert "6 LM calls of test_words.py" in text
    assert html.count("<details>") == html.count("</details>") == 2


def test_a_fall_from_the_lock_shows_both_scores(pytester):
    write_gate(pytester)
    path = write_prompt(pytester, "Say the word loudly.")
    pytester.runpytest("--mipro-update-lock")
    path.write_text(path.read_text().replace("loudly", "quietly"))
    pytester.runpytest("--mipro-markdown=out.md")
    rows = cells(RENDERER.render(markdown(pytester)))
    assert [row[1] for row in rows if "five" in row[0]] == ["1.00 → 0.00"]


def test_passed(pytester):
    write_gate(pytester)
    pytester.runpytest("--mipro-markdown=out.md")
    assert markdown(pytester).startswith("### pytest-mipro: 1 verdict passed\n")


EACH = """
@pytest.mark.mipro
@cases("words.jsonl")
def test_each(text):
    assert say(text=text) == text.upper()
"""


@pytest.mark.parametrize("why", ["drift", "a case by itself", "an ordinary test"])
def test_a_run_that_fails_without_a_verdict_is_not_told_as_passed(pytester, why):
    write_gate(pytester, TESTS + EACH if why == "a case by itself" else TESTS)
    if why == "drift":
        pytester.runpytest("--mipro-update-lock")
        write_prompt(pytester, "Say the word loudly.")
    elif why == "an ordinary test":
        pytester.makepyfile(test_plain="def test_it(): assert False")
    strict = ["--mipro-strict"] if why == "drift" else []
    assert pytester.runpytest(*strict, "--mipro-markdown=out.md").ret == 1
    title = markdown(pytester).partition("\n")[0]
    assert title == "### pytest-mipro: 1 verdict passed; the run failed"


def test_nothing_of_the_cases_breaks_it_or_pings(pytester):
    write_gate(pytester, TESTS.replace("== text.upper()", '== "x", text'))
    write_words(pytester, ("one",))
    row = {"id": "@octocat | `x` <b>", "text": NASTY}
    (pytester.path / "words.jsonl").write_text(f"{json.dumps(row)}\n")
    pytester.runpytest("--mipro-markdown=out.md")
    text = markdown(pytester)
    assert "@" not in text
    assert "octocat" in text
    html = RENDERER.render(text)
    allowed = {"h3", "p", "strong", "code", "table", "thead", "tbody", "tr", "th", "td", "ul"}
    allowed |= {"li", "details", "summary", "em"}
    assert set(re.findall(r"</?([a-z]+\d?)", html)) <= allowed
    assert {len(row) for row in cells(html)} == {3, 5, 6}


def test_the_job_summary_is_appended_to_once(pytester, monkeypatch):
    write_gate(pytester)
    summary = pytester.path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    assert pytester.runpytest().ret == 0
    text = summary.read_text()
    assert text.startswith("before\n### pytest-mipro: 1 verdict passed")
    assert text.count("###") == 1
    pytester.makepyfile(test_plain="def test_it(): pass")
    pytester.runpytest("test_plain.py")
    assert summary.read_text() == text


def test_a_job_summary_that_cannot_be_written_fails_nothing(pytester, monkeypatch):
    write_gate(pytester)
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path))
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*GITHUB_STEP_SUMMARY=* can't be written*"])


def test_it_is_bounded(pytester):
    many = "".join(
        f"\n@pytest.mark.mipro(threshold=0.5)\n@cases('words.jsonl')\n"
        f"def test_{n:03}(text): return Score(0.0, feedback='x' * 300)\n"
        for n in range(120)
    )
    head = TESTS.partition("@pytest")[0]
    write_gate(pytester, head + many, words=tuple(f"w{n}" for n in range(12)))
    pytester.runpytest("--mipro-markdown=out.md", "-p", "no:terminal")
    text = markdown(pytester)
    assert MAX_CHARS // 2 < len(text) <= MAX_CHARS
    assert "Cut short" in text
    assert "and 20 tests more" in text
    html = RENDERER.render(text)
    assert html.count("<details>") == html.count("</details>") > 1


@pytest.mark.parametrize(("studies", "tests"), [(1, 100), (10, 20)])
def test_many_notes_leave_the_tables_of_verdicts(studies, tests):
    verdicts = []
    for number in range(tests):
        name = f"TestQueues::test_that_the_queue_is_right_{number:03}"
        cases = [
            replace(case, id=f"{name}[{place}]", group="abc"[place % 3])
            for place, case in enumerate(passing(20, 60))
        ]
        verdict = verdict_on(cases, threshold=0.5, max_regression=0.02, group="product", name=name)
        verdicts.append(verdict)
    found = tuple(
        GatedStudy(f"test_{number}.py", f"test_{number}.mipro.json", None, tuple(verdicts), ())
        for number in range(studies)
    )
    text = markdown_report(RunReport(Path(), False, 1, found, (), ()), lambda text: text)
    assert len(text) <= MAX_CHARS
    html = RENDERER.render(text)
    failed = sum(row[1:2] == ["<strong>FAILED</strong>"] for row in cells(html))
    assert failed == studies * tests
    assert "test_that_the_queue_is_right_000: mean 0.33 is below" in shown(html)
    assert re.search(r"and \d+ notes more|Cut short", text)


def test_a_long_diff_is_shown_in_part():
    lines = [f"+{number} {'long ' * 80}" for number in range(200)]
    found = list(within((words().verbatim(line) for line in lines), MAX_CHARS // 2))
    assert 50 < len(found) < 200
    assert sum(len(line) + 1 for line in found) <= MAX_CHARS // 2


def test_an_optimisation(pytester):
    write_project(pytester)
    assert optimize(pytester, "--mipro-markdown=out.md").ret == 0
    text = shown(RENDERER.render(markdown(pytester)))
    assert "pytest-mipro: 1 of 1 study improved" in text
    assert "better: lift" in text
    assert "prompts changed: pipeline.parity" in text
    assert "prompts/pipeline.parity.yaml" in text
    assert not lock_text(pytester)


def test_an_optimisation_shows_the_diff_of_its_prompts_and_what_it_took(pytester, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    write_project(pytester)
    optimize(pytester, "--mipro-json=out.json")
    html = RENDERER.render(markdown(pytester, "summary.md"))
    (diff,) = re.findall(r'<code class="language-diff">(.*?)</code>', html, re.DOTALL)
    lines = unescape(diff).splitlines()
    assert lines[:2] == ["--- /dev/null", "+++ b/prompts/pipeline.parity.yaml"]
    assert [line for line in lines if line.startswith("+  Look carefully")]
    (study,) = json.loads(markdown(pytester, "out.json"))["optimizations"]
    stages = {row[0]: row[1] for row in cells(html) if len(row) == 4}
    assert stages.pop("stage") == "calls"
    assert sum(int(calls.replace(",", "")) for calls in stages.values()) == study["calls"]
    assert next(map(shown, stages)) == "baseline"
    assert re.search(r"took \d+ calls, [\d,]+ tokens; billed \d+ calls", shown(html))


def test_a_prompt_cannot_leave_the_block_of_its_diff(pytester):
    nasty = "<!-- ``` \\n````\\n</details> @octocat <script>alert(1)</script> -->"
    write_project(pytester)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("last digit, way", f"last digit, {nasty} way"))
    optimize(pytester, "--mipro-markdown=out.md")
    html = RENDERER.render(markdown(pytester))
    (diff,) = re.findall(r'<code class="language-diff">(.*?)</code>', html, re.DOTALL)
    assert "octocat" in diff
    assert "octocat" not in html.replace(diff, "")
    assert html.count("<details>") == html.count("</details>") == 2


def test_a_refused_finalist_is_shown_as_not_written(pytester):
    write_project(pytester, OPTIMIZED.replace("range(40)", "range(11)"))
    optimize(pytester, "--mipro-markdown=out.md")
    assert "Prompts of the refused finalist, not written" in markdown(pytester)


def test_an_optimisation_that_stops(pytester):
    write_project(pytester)
    assert optimize(pytester, "--mipro-markdown=out.md", "--mipro-max-calls=3").ret == 1
    assert "no study came to its decision" in markdown(pytester)

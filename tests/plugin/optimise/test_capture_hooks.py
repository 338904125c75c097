"""`--mipro-optimize`: what it writes and shows, and that it is the same again."""

import json

from optimize_project import (
    LOCK,
    PROMPT,
    TESTS,
    live_calls,
    optimize,
    private_files,
    remove_written,
    run,
    write_project,
    written,
)


def test_prompts_and_lock_are_written_and_the_diff_is_shown(pytester):
    write_project(pytester)
    result = optimize(pytester)
    assert result.ret == 0
    assert result.parseoutcomes() == {"captured": 40, "passed": 1}
    result.stdout.fnmatch_lines(
        [
            "test_numbers.py c*",
            "mipro: test_numbers.py",
            "baseline    40 case runs under the committed prompts",
            "before      0.*on 40 cases of 40 rows",
            "plan        1 module: pipeline.parity",
            "decision    better: lift *",
            "test_numbers.py . *100%]",
            "*= mipro: changes =*",
            "--- /dev/null",
            f"+++ b/{PROMPT}",
            "+instruction: |-",
            "+  Look carefully *",
            "*= mipro: test_numbers.py =*",
            "score       0.* → *",
            "decision    better: lift *",
            f"files       wrote {PROMPT}, {LOCK}",
            "cost        * calls, * tokens; 0:*",
            "next        git status, git diff, pytest, *",
        ]
    )
    assert set(written(pytester)) == {"pipeline.parity.yaml", LOCK}
    lock = json.loads((pytester.path / LOCK).read_text())
    assert lock["confirmed"] is True
    assert lock["holdout_uses"] == 1


def test_a_second_run_from_the_same_commit_asks_nothing_and_writes_the_same_bytes(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-concurrency=1")
    first = written(pytester)
    assert live_calls(pytester) > 100
    remove_written(pytester)
    again = optimize(pytester, "--mipro-concurrency=16")
    assert again.ret == 0
    assert live_calls(pytester) == 0
    assert written(pytester) == first


def test_concurrency_changes_no_byte(pytester):
    write_project(pytester)
    optimize(pytester, "--mipro-concurrency=16")
    first = written(pytester)
    remove_written(pytester)
    (pytester.path / ".mipro/cache/cache.db").unlink()
    (pytester.path / ".mipro/looks").rename(pytester.path / "looks")
    optimize(pytester, "--mipro-concurrency=1")
    assert live_calls(pytester) > 100
    assert written(pytester) == first


def test_the_plain_run_afterwards_is_served_from_the_cache(pytester):
    write_project(pytester)
    optimize(pytester)
    live_calls(pytester)
    result = run(pytester)
    assert result.ret == 0
    assert live_calls(pytester) == 0
    result.stdout.fnmatch_lines(["test_parity  0.[89]*", "* LM calls: * cached, 0 live; *"])


def test_another_seed_walks_another_path_and_works(pytester):
    write_project(pytester)
    optimize(pytester)
    first = written(pytester)
    remove_written(pytester)
    assert optimize(pytester, "--mipro-seed=7").ret == 0
    other = written(pytester)
    assert json.loads(other[LOCK])["seed"] == 7
    assert other["pipeline.parity.yaml"] != first["pipeline.parity.yaml"]


def test_prompts_that_nothing_beats_stay_as_they_are(pytester):
    write_project(pytester)
    prompt = pytester.path / PROMPT
    prompt.parent.mkdir()
    text = "schema_version: 1\nmodule: pipeline.parity  # by hand\ninstruction: Look carefully.\n"
    prompt.write_text(text + "demos: []\n")
    result = optimize(pytester, "--mipro-trials=1", "-o", "mipro_max_demos=0")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["decision    no candidate beat the committed prompts *"])
    result.stdout.no_fnmatch_line("*mipro: changes*")
    assert prompt.read_text() == text + "demos: []\n"
    assert not (pytester.path / LOCK).exists()


LOYAL = (
    TESTS.replace("40", "100")
    + """
@pytest.mark.mipro(threshold=1.0)
@pytest.mark.parametrize("number", range(100))
def test_loyal(number):
    parity(number=str(number))
    return 1.0 if parity.prompt.instruction == "Say whether the number is odd." else 0.99
"""
)


def test_a_finalist_that_fails_a_threshold_met_before_is_not_written(pytester):
    write_project(pytester, LOYAL)
    result = optimize(pytester, "-o", "mipro_max_demos=0")
    assert result.ret == 0
    text = " ".join(result.stdout.str().split())
    assert "decision fails the gate of test_loyal, which the committed prompts met" in text
    assert "test_loyal 1.000 → 0.990" in text
    assert written(pytester) == {}
    # It was a look at the holdout all the same, and git does not see the record.
    looks = [name for name in private_files(pytester.path) if name.startswith("looks/")]
    assert sum(name.endswith(".json") for name in looks) == 1  # the others are locks
    assert (pytester.path / ".mipro/.gitignore").read_text() == "*\n"


def test_private_files_are_private(pytester):
    write_project(pytester)
    optimize(pytester)
    folder = pytester.path / ".mipro"
    for path in (folder, folder / "cache", folder / "looks"):
        assert path.stat().st_mode & 0o777 == 0o700, path
    assert (folder / ".gitignore").read_text() == "*\n"
    assert not [
        name for name in private_files(pytester.path) if "pending" in name and "lock" not in name
    ]


def test_the_next_optimisation_starts_from_what_was_written(pytester):
    write_project(pytester)
    optimize(pytester)
    result = optimize(pytester, "--mipro-seed=1")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["before      0.[89]*"])


def test_a_lock_is_replaced_and_nothing_in_it_moves_the_split(pytester):
    write_project(pytester)
    optimize(pytester)
    lock = pytester.path / LOCK
    before = json.loads(lock.read_text())
    lock.write_text(lock.read_text().replace(f'"{before["holdout"]}"', '"another"'))
    (pytester.path / PROMPT).unlink()
    result = optimize(pytester, "--mipro-seed=4")
    result.stdout.fnmatch_lines([f"files       wrote *{LOCK}"])
    after = json.loads(lock.read_text())
    assert (after["holdout"], after["seed"]) == (before["holdout"], 4)

"""A run without marked tests: the plugin imports its hooks and options, writes and says nothing."""

from __future__ import annotations

import json

import pytest

PROBE = """
import json, sys
def pytest_unconfigure(config):
    names = sorted(name for name in sys.modules if name.partition(".")[0] in {kinds})
    (config.rootpath / "modules.json").write_text(json.dumps(names))
"""
HEAVY = ("pytest_mipro", "litellm", "optuna", "diskcache", "pydantic", "yaml", "numpy", "rich")


def modules_of_a_run(pytester: pytest.Pytester, *args: str) -> list[str]:
    pytester.makeconftest(PROBE.format(kinds=HEAVY))
    result = pytester.runpytest_subprocess(*args)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*mipro:*")
    names: list[str] = json.loads((pytester.path / "modules.json").read_text())
    return names


@pytest.mark.usefixtures("all_plugins")
def test_only_hooks_and_options_are_imported(pytester):
    pytester.makepyfile("def test_one(): pass")
    without = modules_of_a_run(pytester, "-p", "no:mipro")  # other plugins import what they need
    assert [name for name in modules_of_a_run(pytester) if name not in without] == [
        "pytest_mipro",
        "pytest_mipro.pages",
        "pytest_mipro.plugin",
        "pytest_mipro.plugin.config",
        "pytest_mipro.plugin.config.option_checks",
        "pytest_mipro.plugin.config.options",
        "pytest_mipro.plugin.config.setting",
        "pytest_mipro.plugin.hooks",
        "pytest_mipro.plugin.hookspecs",
    ]
    assert not (pytester.path / ".mipro").exists()


def test_the_marks_are_known(pytester):
    pytester.makepyfile("def test_one(): pass")
    result = pytester.runpytest("--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.mipro(threshold, *", "@pytest.mark.mipro_cases(path)*"]
    )


def test_unmarked_tests_use_the_run_s_model_and_their_errors_show_no_frames_of_ours(pytester, desk):
    desk("""
from pytest_mipro import configure
from pytest_mipro.runtime.client.contract import ScriptedClient

def test_model():
    client = ScriptedClient(["a"])
    configure(client=client)
    assert echo(text="a") == "a"
    assert client.requests[0].model == "test/echo"

def test_error():
    configure(client=ScriptedClient([]))
    echo(text="a")
""")
    result = pytester.runpytest_subprocess()
    assert result.parseoutcomes() == {"passed": 1, "failed": 1}
    assert not (pytester.path / ".mipro").exists()
    result.stdout.fnmatch_lines(
        ["the script has 0 replies, call 1 came", "FAILED * - EndpointError: *"]
    )
    result.stdout.no_fnmatch_line("*pytest_mipro/*")


def test_help_imports_nothing_more(pytester):
    assert "pytest_mipro.plugin.session" not in modules_of_a_run(pytester, "--help")


def test_a_module_that_can_not_be_one_is_told_in_one_line(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        '''
        from pytest_mipro import lm_module

        @lm_module
        def summarise(ticket):
            """Summarise the ticket."""

        def test_nothing():
            pass
        '''
    )
    result = pytester.runpytest_inprocess("-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["*test_a_module*.py:3: LM module '*summarise': parameter 'ticket' has no annotation; *"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*runtime/*")


@pytest.mark.parametrize("arguments", [(), ("--mipro-optimize", "--mipro-dry-run")])
def test_every_plugin_can_be_kept_in_a_set(pytester, arguments):
    """As pytest before 9.1 does with the plugins that it looks for fixtures in."""
    pytester.makepyfile("import pytest\n@pytest.mark.mipro(threshold=0)\ndef test_it(): pass")
    config = pytester.inline_run(*arguments).getcalls("pytest_collection_finish")[0].session.config
    own = [plugin for name, plugin in config.pluginmanager.list_name_plugin() if "mipro" in name]
    assert len({plugin for plugin in own if plugin is not None}) > 1

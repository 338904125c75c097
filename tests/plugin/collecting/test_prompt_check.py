"""Prompt files are read at collection, wherever in the project a test file's names lead to them."""

from __future__ import annotations

import functools
import sys
from types import FunctionType, ModuleType

import pytest
from gate_project import TESTS, WORDS, write_gate, write_prompt

from pytest_mipro.plugin.collecting.prompt_check import check_prompt_files, reachable_modules

BAD = "schema_version: 1\nmodule: pipeline.say\ninstruktion: Say it.\n"
TOLD = "*pipeline.say.yaml:3: unknown key 'instruktion'*"


def broken(pytester: pytest.Pytester) -> None:
    write_prompt(pytester, "Say it.").write_text(BAD)


@pytest.mark.parametrize("workers", ["-n0", "-n1"])
def test_a_bad_prompt_file_is_one_error_at_collection(pytester, workers):
    pytest.importorskip("xdist")
    write_gate(pytester)
    broken(pytester)
    result = pytester.runpytest(workers)
    assert result.ret in (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.TESTS_FAILED)
    assert result.parseoutcomes() == {"errors": 1} or result.parseoutcomes() == {"error": 1}
    result.stdout.fnmatch_lines([TOLD])
    assert result.stdout.str().count("unknown key") <= 2  # the error, and its line in the summary


@pytest.mark.parametrize(
    ("imports", "called"),
    [
        ("from program import shout", "shout(text)"),  # a function of another file
        ("import program", "program.shout(text)"),  # that file as a module
        ("from program import Program", "Program().shout(text)"),  # a class
        ("from program import decorated", "decorated(text)"),  # behind a decorator
        ("from program import Program\nprogram = Program()", "program.shout(text)"),
    ],
)
def test_it_is_found_through_the_program(pytester, imports, called):
    tests = TESTS.replace("from pipeline import say", imports).replace("say(text=text)", called)
    write_gate(pytester, tests)
    pytester.makepyfile(
        program="""
        import functools
        import pipeline

        def shout(text):
            return pipeline.say(text=text)

        def traced(function):
            @functools.wraps(function)
            def wrapper(text):
                return function(text)
            return wrapper

        decorated = traced(shout)

        class Program:
            def shout(self, text):
                return shout(text)
        """
    )
    assert pytester.runpytest("--collect-only").ret == 0
    broken(pytester)
    result = pytester.runpytest("--collect-only")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([TOLD])


def test_a_good_one_with_comments_is_no_error(pytester):
    write_gate(pytester)
    path = write_prompt(pytester, "Say it loudly.")
    path.write_text(f"# by hand\n{path.read_text()}# the end\n")
    before = path.read_bytes()
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": len(WORDS) + 1}
    assert path.read_bytes() == before


def test_unmarked_tests_are_none_of_its_business(pytester):
    write_gate(pytester, "import pipeline\ndef test_it():\n    assert pipeline\n")
    broken(pytester)
    assert pytester.runpytest().ret == 0


def test_a_missing_file_of_a_module_that_no_test_calls_is_no_error(pytester):
    write_gate(pytester)
    source = (pytester.path / "pipeline.py").read_text()
    later = '\n@lm_module(prompt="later.yaml")\ndef later(text: str) -> str:\n    """Later."""\n'
    (pytester.path / "pipeline.py").write_text(source + later)
    assert pytester.runpytest().ret == 0


def test_a_missing_file_of_a_module_that_is_called_is_told_once(pytester):
    write_gate(pytester)
    source = (pytester.path / "pipeline.py").read_text()
    required = source.replace("@lm_module", '@lm_module(prompt="say.yaml")')
    (pytester.path / "pipeline.py").write_text(required)
    result = pytester.runpytest()
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*say.yaml:1: the prompt file of 'pipeline.say' is missing*"])


class Proxy:
    """An object that must not be asked what it is: it is bound later."""

    @property
    def __class__(self):
        raise RuntimeError("working outside of a request")

    def __getattr__(self, name):
        raise RuntimeError("working outside of a request")


def odd_values():
    def wrapping_a_callable():
        pass

    functools.update_wrapper(wrapping_a_callable, functools.partial(print))
    wrapping_a_callable.__wrapped__ = functools.partial(print)

    def circle():
        pass

    circle.__wrapped__ = circle

    class Elsewhere:
        pass

    Elsewhere.__module__ = "nowhere.to.be.found"

    class Wrong:
        __module__ = 7

    library = ModuleType("odd")
    library.__file__ = None
    return {
        "proxy": Proxy(),
        "wrapper": wrapping_a_callable,
        "circle": circle,
        "elsewhere": Elsewhere,
        "wrong": Wrong,
        "library": library,
        "code": FunctionType(compile("1", "<string>", "eval"), {}),
        "self": sys.modules[__name__],
    }


@pytest.mark.parametrize("name", odd_values())
def test_odd_names_in_a_test_file_do_no_harm(name):
    assert list(reachable_modules({name: odd_values()[name]})) == []
    check_prompt_files({name: odd_values()[name]}, set())

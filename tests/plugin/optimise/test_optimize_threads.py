"""Threads, coroutines, prints and logs of the cases under `--mipro-optimize`."""

import pytest
from optimize_project import TESTS, live_calls, optimize, write_project, written

POOL = """
import contextvars
from concurrent.futures import ThreadPoolExecutor

def parity_in_a_thread(number):
    with ThreadPoolExecutor() as pool:
        return pool.submit({call}, number=number).result()
"""


def threaded(pytester: pytest.Pytester, call: str) -> pytest.RunResult:
    source = TESTS.replace("parity(number=str(number))", "parity_in_a_thread(str(number))")
    source = "from pipeline import parity_in_a_thread\n" + source
    write_project(pytester, source, pipeline=POOL.format(call=call))
    return optimize(pytester)


def test_a_thread_without_the_context_is_refused_with_the_remedy(pytester):
    result = threaded(pytester, "parity")
    assert result.ret == 1
    line = (
        "*LM module 'pipeline.parity' was called in a thread without the case's context; start it "
        "with `contextvars.copy_context().run`*"
    )
    result.stdout.fnmatch_lines([line, "FAILED *::optimize?*? - LM module 'pipeline.parit*"])
    assert written(pytester) == {}
    assert live_calls(pytester) == 0


def test_a_refused_thread_is_noticed_where_the_pipeline_swallows_it(pytester):
    swallow = """
def parity_in_a_thread(number):
    with ThreadPoolExecutor() as pool:
        future = pool.submit(parity, number=number)
    return "odd" if future.exception() else future.result()
"""
    source = TESTS.replace("parity(number=str(number))", "parity_in_a_thread(str(number))")
    source = "from pipeline import parity_in_a_thread\n" + source
    write_project(pytester, source, pipeline=POOL.format(call="parity") + swallow)
    result = optimize(pytester)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*in a thread without the case's context*"])


def test_few_calls_are_paid_before_a_thread_is_noticed(pytester):
    first = """
def parity_in_a_thread(number):
    parity(number=number)
    with ThreadPoolExecutor() as pool:
        return pool.submit(parity, number=number).exception() and "odd"
"""
    source = TESTS.replace("parity(number=str(number))", "parity_in_a_thread(str(number))")
    source = "from pipeline import parity_in_a_thread\n" + source.replace("(40)", "(240)")
    write_project(pytester, source, pipeline=POOL.format(call="parity") + first)
    assert optimize(pytester).ret == 1
    assert live_calls(pytester) <= 24  # as many cases begin at once


def test_a_test_that_calls_no_module_is_named_in_the_plan(pytester):
    silent = """
@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_silent(number):
    assert number >= 0
"""
    write_project(pytester, TESTS + silent)
    result = optimize(pytester, "--mipro-diff")
    result.stdout.fnmatch_lines(["*test_silent: no case called an LM module"])
    result.stdout.no_fnmatch_line("*test_parity: no case called*")


def test_a_thread_with_a_copy_of_the_context_is_measured(pytester):
    result = threaded(pytester, "contextvars.copy_context().run, parity")
    assert result.ret == 0
    assert written(pytester)


MODULE = '''
import asyncio

@lm_module
async def later(number: str) -> Literal["odd", "even"]:
    """Say whether the number is odd."""

async def both(number):
    first, second = await asyncio.gather(later(number=number), later(number=number))
    assert first == second
    return first
'''
COROUTINE = """
from pipeline import both

@pytest.mark.mipro(threshold=0.1)
{mark}
@pytest.mark.parametrize("number", range(40))
async def test_later(number):
    assert await both(str(number)) == ("odd" if number % 2 else "even")
"""


ASYNCIO = (
    *("-p", "pytest_asyncio.plugin", "-p", "anyio.pytest_plugin"),
    *("-o", "asyncio_default_fixture_loop_scope=function"),
)


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [
        ("", ()),
        ("", ASYNCIO),
        ("@pytest.mark.asyncio(loop_scope='module')", ASYNCIO),
        ("@pytest.mark.anyio", ("-p", "anyio.pytest_plugin")),
    ],
    ids=["no plugin", "plain", "asyncio-module", "anyio"],
)
def test_coroutines_are_measured(pytester, mark, arguments):
    write_project(pytester, COROUTINE.format(mark=mark), pipeline=MODULE)
    result = optimize(pytester, *arguments)
    assert result.ret == 0
    result.stdout.no_fnmatch_line("*one case at a time*")
    result.stdout.fnmatch_lines(["files *wrote*prompts/pipeline.later.yaml*"])


LOUD = """
import logging
import os
import sys
import warnings

@pytest.mark.mipro(threshold=0.1)
@pytest.mark.parametrize("number", range(40))
def test_loud(number):
    print("a print of the case")
    print("an error print of the case", file=sys.stderr)
    os.write(1, b"a write of the case")
    logging.getLogger("loud").error("a record of the case")
    assert parity(number=str(number)) == ("odd" if number % 2 else "even")
"""


def test_what_cases_print_stays_out_of_the_output_of_a_study_that_stops(pytester, monkeypatch):
    """Of one that does not: see `LOUD` in test_optimize_terminal.py."""
    monkeypatch.setenv("MIPRO_TEST_CALLS", "60")
    write_project(pytester, LOUD)
    result = pytester.runpytest_subprocess("--mipro-optimize", "--mipro-trials=4")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["before *"])
    output = result.stdout.str() + result.stderr.str()
    assert "of the case" not in output


def test_log_records_do_not_pile_up(pytester):
    conftest = """
import pytest
COUNTS = []

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item):
    import logging
    yield
    for handler in logging.getLogger().handlers:
        COUNTS.append(len(getattr(handler, "records", ())))

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"records {max(COUNTS)} of {len(COUNTS)}")
"""
    source = LOUD.replace(
        'logging.getLogger("loud").error("a record of the case")',
        'for n in range(100): logging.getLogger("loud").warning("record")',
    )
    write_project(pytester, source, conftest=conftest)
    result = optimize(pytester)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["records 0 of *"])


def test_a_logging_set_up_of_the_user_s_own_still_gets_the_records(pytester):
    conftest = """
import logging
class Kept(logging.Handler):
    records = 0
    def emit(self, record):
        Kept.records += 1

def pytest_configure(config):
    handler = Kept()
    logging.getLogger().addHandler(handler)
    config.add_cleanup(lambda: logging.getLogger().removeHandler(handler))

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"kept {Kept.records}")
"""
    write_project(pytester, LOUD, conftest=conftest)
    result = optimize(pytester, "-o", "log_level=INFO")
    kept = next(line for line in result.outlines if line.startswith("kept "))
    assert int(kept.split()[1]) > 80

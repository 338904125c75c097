"""Coroutines, methods and fixtures: each case runs as the ordinary test it is."""

from __future__ import annotations

import pytest

CASES = """
@pytest.mark.mipro(threshold=0.5)
{mark}
@pytest.mark.parametrize("text", ["a", "b", "down"][:{count}])
async def test_later(text):
    {body}
"""


def coroutine(mark: str = "", count: int = 2, body: str = "") -> str:
    return CASES.format(
        mark=mark, count=count, body=body or 'assert await echo_later(text=text) == "a"'
    )


def test_a_coroutine_that_no_plugin_claims_is_served(pytester, desk):
    desk(coroutine())
    result = pytester.runpytest("-W", "error")
    assert result.parseoutcomes() == {"passed": 2, "missed": 1}


@pytest.mark.usefixtures("all_plugins")
@pytest.mark.parametrize(
    ("mark", "args"),
    [("@pytest.mark.asyncio", ()), ("", ("-o", "asyncio_mode=auto")), ("", ())],
)
def test_with_pytest_asyncio(pytester, desk, mark, args):
    desk(coroutine(mark))
    result = pytester.runpytest(*args)
    assert result.parseoutcomes() == {"passed": 2, "missed": 1}


@pytest.mark.usefixtures("all_plugins")
def test_pytest_asyncio_keeps_its_loop(pytester, desk):
    desk("""
import asyncio, pytest_asyncio

@pytest_asyncio.fixture(loop_scope="module")
async def loop(): return asyncio.get_running_loop()

@pytest.mark.mipro
@pytest.mark.asyncio(loop_scope="module")
async def test_loop(loop):
    assert loop is asyncio.get_running_loop()
    assert await echo_later(text="a") == "a"
""")
    assert pytester.runpytest().parseoutcomes() == {"passed": 1}


def test_with_anyio(pytester, desk):
    desk(
        "@pytest.fixture\ndef anyio_backend(): return 'asyncio'\n" + coroutine("@pytest.mark.anyio")
    )
    result = pytester.runpytest("-p", "anyio.pytest_plugin")
    assert result.parseoutcomes() == {"passed": 2, "missed": 1}


def test_an_error_of_the_world_in_a_coroutine(pytester, desk):
    desk(coroutine(count=3, body="try: await echo_later(text=text)\n    except Exception: pass"))
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"passed": 2, "errors": 1, "failed": 1}


def test_repeats_of_a_coroutine(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.3, repeats=3)
async def test_later(): return await echo_later(text="sampled") == "1"
""")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["test_later  0.333 (*", "3 LM calls: 0 cached, 3 live; *"])


def test_an_unmarked_coroutine_is_left_to_others(pytester, desk):
    desk("async def test_later(): pass\n\n@pytest.mark.mipro\ndef test_one(): pass")
    result = pytester.runpytest()
    assert result.parseoutcomes() == {"failed": 1, "passed": 1}


def test_concurrent_module_calls_belong_to_their_case(pytester, desk):
    desk("""
import asyncio

@pytest.mark.mipro
async def test_both():
    assert await asyncio.gather(echo_later(text="a"), echo_later(text="b")) == ["a", "b"]
""")
    result = pytester.runpytest()
    assert result.ret == 0
    result.stdout.fnmatch_lines(["2 LM calls: 0 cached, 2 live; *"])


def test_methods_get_a_fresh_instance_and_its_setup(pytester, desk):
    desk("""
@pytest.mark.mipro(threshold=0.5)
class TestDesk:
    def setup_method(self): self.seen = []

    @pytest.mark.parametrize("text", ["a", "b"])
    def test_echo(self, text, tmp_path):
        self.seen.append(text)
        assert self.seen == [text] and tmp_path.is_dir()
        assert echo(text=text) == "a"

    async def test_later(self): assert await echo_later(text="a") == "a"
""")
    result = pytester.runpytest()
    assert result.ret == 0
    assert result.parseoutcomes() == {"passed": 4, "missed": 1}
    result.stdout.fnmatch_lines(["TestDesk::test_echo   0.500 *", "TestDesk::test_later  1.000 *"])

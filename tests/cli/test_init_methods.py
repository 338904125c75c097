"""`init` in a repo whose pipeline is a class: a method is tested on an instance."""

from __future__ import annotations

import pytest
from cli_project import Run, write

BOT = """
from litellm import acompletion


class Bot:
    async def reply(self, message: str) -> str:
        return await self._ask(message)

    async def _ask(self, prompt):
        return await acompletion(model="m", messages=[{"role": "user", "content": prompt}])


class Tuned:
    def __init__(self, model):
        self.model = model

    async def tuned_reply(self, message):
        return await Bot().reply(message)
"""


def test_a_method_is_tested_on_an_instance(pytester: pytest.Pytester, command: Run) -> None:
    write(pytester.path, "service.py", BOT)
    ended = command("init")
    assert (ended.status, ended.err) == (0, "")
    text = (pytester.path / "tests/test_bot_reply.py").read_text()
    assert "from service import Bot\n" in text
    assert "async def test_bot_reply(message, wanted):" in text
    assert "result = await Bot().reply(message=message)" in text
    assert "Bot._ask (service.py), Tuned.tuned_reply (service.py)" in ended.out
    refused = command("init", "tuned_reply")
    assert refused.status == 2
    assert "Tuned.tuned_reply needs a Tuned made with arguments" in refused.err


@pytest.mark.parametrize(
    "use", ["Bot().reply(text)", "bot.reply(text)", "service.Bot().reply(text)", "run(Bot, text)"]
)
def test_a_function_that_uses_a_class_is_the_pipeline(
    pytester: pytest.Pytester, command: Run, use: str
) -> None:
    write(pytester.path, "service.py", BOT)
    write(
        pytester.path,
        "app.py",
        "import service\nfrom service import Bot\nbot = Bot()\n"
        f"def handle(text):\n    return {use}\n",
    )
    assert "wrote tests/test_handle.py" in command("init").out

"""A gate of one test with two models, of which the larger one is always right."""

from __future__ import annotations

from gate_project import write_gate

CONFTEST = """
from pytest_mipro.runtime.client.contract import Reply, ScriptedClient, Usage

def reply(request):
    word = request.messages[-1].content.partition("<text>\\n")[2].partition("\\n</text>")[0]
    good = request.model == "test/large" or (request.model == "test/small" and word < "p")
    return word.upper() if good else word

class Client(ScriptedClient):
    def price(self, model):
        return None

def pytest_mipro_client(config):
    return Client(reply)
"""
TESTS = """
import pytest
from pytest_mipro import Score, cases
from pipeline import say

@pytest.mark.mipro(threshold=0.6, models=["test/small", "test/large"])
@cases("words.jsonl")
def test_say(text):
    assert say(text=text) == text.upper()
"""


def project(pytester, tests=TESTS, **options):
    write_gate(pytester, tests, **options)
    pytester.makeconftest(CONFTEST)

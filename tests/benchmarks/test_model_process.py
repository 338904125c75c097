"""The model server's HTTP side and its queue, on an engine that computes nothing."""

from __future__ import annotations

import importlib
import json
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

END = 0
SAID = {"Say hi.": [72, 105, END], "Count.": list(range(65, 91))}
WORD = "x"
"""A token of the prompt for each."""


class Tokenizer:
    """Each character is a token; a mark between `<|` and `|>` is the one that ends a reply."""

    def encode(self, text: str, **_: object) -> Any:
        tokens = [END] if text.startswith("<|") and text.endswith("|>") else list(text)
        return SimpleNamespace(input_ids=SimpleNamespace(data=[tokens], shape=(1, len(tokens))))

    def decode(self, tokens: list[int], **_: object) -> str:
        return "".join(map(chr, tokens))

    def get_eos_token_id(self) -> int:
        return END

    def apply_chat_template(self, messages: list[dict[str, str]], **_: object) -> str:
        return messages[-1]["content"]


class Status:
    RUNNING, FINISHED, CANCEL = "running", "finished", "cancel"


class Reason:
    STOP, LENGTH = "stop", "length"


@dataclass
class Handle:
    """A reply that comes a token a step."""

    left: list[int]
    limit: int
    fresh: int | None = None

    def can_read(self) -> bool:
        return self.fresh is not None

    def read(self) -> dict[int, Any]:
        token, self.fresh = self.fresh, None
        reason = Reason.STOP if token == END else Reason.LENGTH
        return {0: SimpleNamespace(generated_ids=[token], finish_reason=reason)}

    def get_status(self) -> str:
        return Status.RUNNING if self.left and self.limit else Status.FINISHED


class Pipeline:
    """The engine: says what `SAID` holds, and fails at the step after "Break."."""

    def __init__(self, *_: object) -> None:
        self.settings: list[Any] = []
        self._handles: list[Handle] = []

    def get_tokenizer(self) -> Tokenizer:
        return Tokenizer()

    def add_request(self, _: int, tokens: Any, settings: Any) -> Handle:
        text = "".join(tokens.data[0])
        if text == "Refuse.":
            raise RuntimeError("no such request")
        self.settings.append(settings)
        handle = Handle(list(SAID.get(text, [])), settings.max_new_tokens)
        self._handles.append(handle)
        if text == "Break.":
            handle.left = [-1]
        return handle

    def step(self) -> None:
        for handle in self._handles:
            if handle.left and handle.limit:
                handle.fresh = handle.left.pop(0)
                handle.limit -= 1
        if any(handle.fresh == -1 for handle in self._handles):
            self._handles.clear()
            raise RuntimeError("the engine broke")


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    engine = SimpleNamespace(
        SchedulerConfig=SimpleNamespace,
        GenerationConfig=SimpleNamespace,
        StructuredOutputConfig=lambda **given: given,
        ContinuousBatchingPipeline=Pipeline,
        GenerationStatus=Status,
        GenerationFinishReason=Reason,
    )
    monkeypatch.setitem(sys.modules, "openvino_genai", engine)
    name = "benchmarks.real_model.model_process"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield importlib.import_module(name)
    sys.modules.pop(name, None)


@pytest.fixture
def served(process: Any) -> Iterator[tuple[str, Pipeline]]:
    process.Handler.model = process.Model("weights.gguf", 1)
    with process.Server(("127.0.0.1", 0), process.Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/v1", process.Handler.model._pipeline
        server.shutdown()


def ask(url: str, text: str, **body: Any) -> tuple[int, Any]:
    asked = {"messages": [{"role": "user", "content": text}], **body} if text else body
    request = urllib.request.Request(f"{url}/chat/completions", json.dumps(asked).encode())
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, json.load(refused)["error"]


def test_a_reply_ends_at_its_mark_and_tells_its_tokens(served):
    code, reply = ask(served[0], "Say hi.", model="small")
    assert (code, reply["model"]) == (200, "small")
    assert reply["choices"][0]["message"] == {"role": "assistant", "content": "Hi"}
    assert reply["choices"][0]["finish_reason"] == "stop"
    assert reply["usage"] == {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def test_a_reply_is_cut_at_the_limit(served):
    code, reply = ask(served[0], "Count.", max_tokens=3)
    assert code == 200
    assert reply["choices"][0] | {"index": 0} == {
        "index": 0,
        "finish_reason": "length",
        "message": {"role": "assistant", "content": "ABC"},
    }


def test_what_a_request_asks_for_reaches_the_engine(served):
    url, engine = served
    schema = {"type": "object", "properties": {}}
    wanted = {"type": "json_schema", "json_schema": {"schema": schema}}
    ask(url, "Say hi.", temperature=0, stop="\n", response_format=wanted)
    ask(url, "Say hi.", temperature=0.5, top_p=0.9)
    fixed, sampled = engine.settings
    assert not hasattr(fixed, "do_sample")
    assert fixed.stop_strings == {"\n"}
    assert json.loads(fixed.structured_output_config["json_schema"]) == schema
    assert (sampled.do_sample, sampled.temperature, sampled.top_p) == (True, 0.5, 0.9)


@pytest.mark.parametrize(
    ("text", "body", "code", "said"),
    [
        ("", {}, 400, "a request is an object with messages"),
        (WORD * 40_000, {}, 400, "40000 tokens exceed the context of 32768"),
        ("Refuse.", {}, 500, "no such request"),
        ("Break.", {}, 500, "the engine broke"),
    ],
)
def test_it_goes_on_after_a_request_that_it_can_not_answer(served, text, body, code, said):
    refused, error = ask(served[0], text, **body)
    assert refused == code
    assert said in error["message"]
    assert ask(served[0], "Say hi.")[0] == 200


def test_a_prompt_that_is_too_long_is_told_in_the_words_of_the_api(served):
    assert ask(served[0], WORD * 40_000)[1]["code"] == "context_length_exceeded"


def test_calls_at_once_are_all_answered(served):
    found: list[str] = []

    def call(text: str) -> None:
        found.append(ask(served[0], text)[1]["choices"][0]["message"]["content"])

    threads = [threading.Thread(target=call, args=(text,)) for text in [*SAID] * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(found) == sorted(["Hi"] * 20 + ["ABCDEFGHIJKLMNOPQRSTUVWXYZ"] * 20)

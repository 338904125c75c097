"""Read what LM calls ask, in OpenAI's, Anthropic's and Gemini's APIs and their kin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from pytest_mipro.runtime.client.attachments import read_parts
from pytest_mipro.runtime.client.contract import Message, Role
from pytest_mipro.runtime.own_calls.apis.content_text import content_text, json_text
from pytest_mipro.runtime.own_calls.http_call import objects_in

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "assistant": "assistant",
    "model": "assistant",
}
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction")
_TURNS = ("messages", "input", "contents", "prompt")
_CONTENT = (*_TURNS, *_SYSTEM)
_CALLS = {"tool_use", "tool_calls", "function_call", "functionCall", "toolUse"}
_MEDIA = {
    *("image", "images", "image_url", "input_image", "inlineData", "inline_data", "video"),
    *("audio", "input_audio", "document", "file", "input_file", "fileData", "file_data"),
}
# Where a turn has its parts, and the result of a tool its own.
_HOLDERS = ("content", "parts", "output", "toolResult", "functionResponse")
# Gemini, Azure and Bedrock name the model in the path, Gemini with a verb, Bedrock with a version.
_MODEL_IN_PATH = re.compile(r"/(?:models?|deployments)/([^/]+?)(?::[A-Za-z]+)?(?:/|\Z)")
# Where others than OpenAI have the output limit and the number of choices.
_NESTED = {
    "generationConfig": {"max_tokens": "maxOutputTokens", "n": "candidateCount"},
    "inferenceConfig": {"max_tokens": "maxTokens"},
    "options": {"max_tokens": "num_predict"},
}


def model_of(body: Mapping[str, Any], target: str) -> str:
    """Return the model that a call names, in its body or its path; else the path."""
    path = target.partition("?")[0].strip("/")
    named = _MODEL_IN_PATH.search(f"/{path}")
    return str(body.get("model") or (unquote(named[1]) if named else path))


def messages_of(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the chat messages of a call, each as text; of embeddings, one message per text."""
    found = [Message("system", content_text(body[name])) for name in _SYSTEM if body.get(name)]
    turns = next((body[name] for name in _TURNS if body.get(name)), None)
    for turn in turns if isinstance(turns, list) and not _is_tokens(turns) else [turns]:
        if isinstance(turn, dict):
            role = _ROLES.get(str(turn.get("role")), "user")
            content = turn.get("content")
            listed = content if isinstance(content, list) and not turn.get("tool_calls") else []
            parts = read_parts(listed)
            found.append(Message.of(role, parts) if parts else Message(role, _turn_text(turn)))
        elif turn is not None:
            found.append(Message("user", content_text(turn)))
    return tuple(found)


def question_of(body: Mapping[str, Any]) -> tuple[Message, ...]:
    """Return the messages without the turns that call tools: a result follows what was asked."""
    name = next((name for name in _TURNS if body.get(name)), "")
    turns = body.get(name)
    if not isinstance(turns, list):
        return messages_of(body)
    kept = [_with_plain_results(turn) for turn in turns if not _calls_tool(turn)]
    return messages_of({**body, name: kept})


def chooses_tool(body: Mapping[str, Any]) -> bool:
    """Return whether the caller names the tool to call: what it is given is the answer.

    So instructor and others ask for an answer of a form; nobody waits for what the tool gives.
    """
    choice = body.get("tool_choice")
    named = choice if isinstance(choice, dict) else {}
    held = (named, named.get("function"))
    return any(isinstance(each, dict) and each.get("name") for each in held)


def holds_media(body: Mapping[str, Any]) -> bool:
    """Return whether a message holds an image or another file, which no demo can show."""
    turns = next((body[name] for name in _TURNS if body.get(name)), None)
    return bool(body.get("images")) or _shows_media(turns)  # as Ollama's api/generate has them


def _shows_media(part: Any) -> bool:
    if isinstance(part, list):
        return any(map(_shows_media, part))
    if not isinstance(part, dict):
        return False
    return _is_any(part, _MEDIA) or any(_shows_media(part.get(name)) for name in _HOLDERS)


def _parts_of(turn: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [turn, *objects_in(turn.get("content", turn.get("parts")))]


def _is_any(part: Mapping[str, Any], kinds: set[str]) -> bool:
    """Return whether a part is of one of the kinds, by its type or by a field that is not empty."""
    return str(part.get("type")) in kinds or any(part.get(kind) for kind in kinds)


def _calls_tool(turn: Any) -> bool:
    if not isinstance(turn, dict):
        return False
    thinks = turn.get("type") == "reasoning"  # before a call of the Responses API
    return thinks or any(_is_any(part, _CALLS) for part in _parts_of(turn))


def _with_plain_results(turn: Any) -> Any:
    """Return a turn with a tool's results as they are, without the ids of their calls."""
    if not isinstance(turn, dict):
        return turn
    if turn.get("type") == "function_call_output":
        return {"role": "tool", "content": content_text(turn.get("output"))}
    if isinstance(turn.get("content"), list):
        return {**turn, "content": [_plain_part(part) for part in turn["content"]]}
    return turn


def _plain_part(part: Any) -> Any:
    if isinstance(part, dict) and part.get("type") == "tool_result":
        return {"type": "text", "text": content_text(part.get("content"))}
    return part


def _is_tokens(prompt: list[Any]) -> bool:
    """Return whether a prompt is written in tokens: one text, not one for each number."""
    return bool(prompt) and all(type(token) is int for token in prompt)


def _prompts(prompt: Any) -> int:
    """Return how many prompts a list holds, 0 for what is no list of prompts."""
    return len(prompt) if isinstance(prompt, list) and not _is_tokens(prompt) else 0


def parameters_of(body: Mapping[str, Any], target: str) -> dict[str, Any]:
    """Return the other fields of a call, its output limit under the name that budgets know."""
    parameters = {name: value for name, value in body.items() if name not in (*_CONTENT, "model")}
    if target.partition("?")[0].rstrip("/").endswith("/embeddings"):
        parameters["max_tokens"] = 0  # they write nothing
    elif (prompts := _prompts(body.get("prompt"))) > 0:
        choices = body.get("n")  # for each of them
        parameters["n"] = prompts * (choices if type(choices) is int else 1)
    elif "max_output_tokens" in body:
        parameters["max_tokens"] = body["max_output_tokens"]
    else:
        parameters |= dict(_nested(body))
    return parameters


def _nested(body: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for holder, names in _NESTED.items():
        held = body.get(holder)
        values = held if isinstance(held, dict) else {}
        found += [
            (name, value)
            for name, told in names.items()
            if type(value := values.get(told)) is int and value > 0  # Ollama's -1 is no limit
        ]
    return found


def _turn_text(turn: Mapping[str, Any]) -> str:
    """Return a turn's content with its tool calls; a turn without content as JSON."""
    content = turn.get("content", turn.get("parts"))
    calls = turn.get("tool_calls")
    texts = [content_text(content)] if content else []
    texts += [content_text(calls)] if calls else []
    return "\n".join(texts) or json_text(turn)

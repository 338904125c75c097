"""Tools of the chat API: which one the stand-in calls, and how it reads what a tool gave."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_mipro.simulated.language import noise
from pytest_mipro.simulated.language.tokens import asked_for

Turn = Mapping[str, Any]


def tool_calls(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tool calls that answer a request, as the API has them; mostly none.

    After a question, every tool is called whose required arguments, texts all, are identifiers
    that stand in it; what a tool gave is answered.
    """
    turns, tools = data["messages"], data.get("tools")
    last = turns[-1] if turns and isinstance(turns[-1], dict) else {}
    asked = last.get("content")
    if not isinstance(tools, list) or data.get("tool_choice") == "none":
        return []
    if last.get("role") != "user" or not isinstance(asked, str):
        return []
    return [
        {
            "id": f"call_{noise.digest(name, asked)[:24]}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        for name, arguments in _callable(tools, asked)
    ]


def _callable(tools: Sequence[Any], asked: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the arguments of each function whose arguments the text holds."""
    for tool in tools:
        function = tool.get("function", {}) if isinstance(tool, dict) else {}
        schema = function.get("parameters") or {}
        fields, required = schema.get("properties", {}), schema.get("required", [])
        found = {
            name: asked_for(name.replace("_", " "), asked)
            for name in required
            if fields.get(name, {}).get("type") == "string"
        }
        if required and len(found) == len(required) and all(found.values()):
            yield function["name"], {name: values[0] for name, values in found.items()}


def folded(turns: Sequence[Any]) -> list[Any]:
    """Return the turns with the results of tools as part of the question that they serve."""
    made: list[Any] = []
    for turn in turns:
        role = turn.get("role") if isinstance(turn, dict) else None
        if role == "assistant" and turn.get("tool_calls"):
            continue
        if role == "tool" and made and _are_texts(made[-1], turn):
            both = f"{made[-1]['content']}\n\n{turn['content']}"
            made[-1] = {**made[-1], "content": both}
        else:
            made.append(turn)
    return made


def _are_texts(question: Turn, result: Turn) -> bool:
    return question.get("role") == "user" and all(
        isinstance(each.get("content"), str) for each in (question, result)
    )

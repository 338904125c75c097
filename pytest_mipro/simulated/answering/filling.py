"""Fills a JSON schema: each property by its type, always with a value that the schema allows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pytest_mipro.simulated.answering.deciding import decide
from pytest_mipro.simulated.answering.neighbours import demo_similarities
from pytest_mipro.simulated.answering.writing import extract, sentence_count, write_text
from pytest_mipro.simulated.formats.schemas import FORMATS, bounds, fitting, kind_of
from pytest_mipro.simulated.formats.task import Mind, Question, Schema, joined
from pytest_mipro.simulated.language.english import as_sentence, sentences, stem, stems, words
from pytest_mipro.simulated.language.tokens import asked_for, is_request

DEEPEST = 6
_NUMBER = re.compile(r"(?<![\w.-])-?\d+(?:\.\d+)?(?![\w])")


@dataclass(frozen=True)
class Filler:
    """Fills schemas of one document; `defs` are what its `$ref` point to."""

    mind: Mind
    defs: Schema

    def fill(self, schema: Schema, question: Question, depth: int = 0) -> Any:
        """Return a JSON value that the schema allows and the question suggests."""
        schema = self._resolved(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choose(schema["enum"], question)
        if options := schema.get("anyOf") or schema.get("oneOf"):
            return self._one_of(options, schema, question, depth)
        return self._typed(kind_of(schema), schema, _described(schema, question), depth)

    def _resolved(self, schema: Schema) -> Schema:
        for _ in range(DEEPEST):
            if "$ref" in schema:
                target = self.defs.get(str(schema["$ref"]).rsplit("/", 1)[-1], {})
                schema = {**target, **{key: schema[key] for key in schema if key != "$ref"}}
            elif len(schema.get("allOf", ())) == 1:
                schema = {
                    **schema["allOf"][0],
                    **{key: schema[key] for key in schema if key != "allOf"},
                }
            else:
                break
        return schema

    def _typed(self, kind: str, schema: Schema, question: Question, depth: int) -> Any:
        if kind == "object":
            return self._object(schema, question, depth)
        if kind == "array":
            return self._array(schema, question, depth)
        if kind == "boolean":
            return self._boolean(question)
        if kind in ("integer", "number"):
            return self._number(schema, question, whole=kind == "integer")
        return None if kind == "null" else self._string(schema, question)

    def _choose(self, values: list[Any], question: Question) -> Any:
        by_text = {_text(value): value for value in values}
        return by_text[decide(tuple(by_text), question, self.mind).label]

    def _boolean(self, question: Question) -> bool:
        """Return true or false; a sentence that names the field speaks of true."""
        said = question.instruction
        if not question.alone:
            said = "\n".join(s for s in sentences(said) if _speaks_of(question.name, s))
            alias = question.name.replace("_", " ")
            said = re.sub(rf"\b(?:{re.escape(question.name)}|{re.escape(alias)})\b", "true", said)
            said = re.sub(r"\btrue\b([^.\n]{0,20}\b(?:true|false)\b)", r"\1", said)
        if said and not re.search(r"\bfalse\b", said):
            said += "\nOtherwise false."
        demos = tuple((fields, str(value).lower()) for fields, value in question.demos)
        asked = replace(question, instruction=said, demos=demos)
        return decide(("true", "false"), asked, self.mind).label == "true"

    def _one_of(self, options: list[Schema], schema: Schema, question: Question, depth: int) -> Any:
        """Return null where demos of like input have none or nothing in the input speaks of it."""
        real = [option for option in options if self._resolved(option).get("type") != "null"]
        asked = _described(schema, question)
        if len(real) == len(options):
            return self.fill(options[0], asked, depth)
        if not real or depth >= DEEPEST or self._is_absent(asked):
            return None
        return self.fill(real[0], asked, depth + 1)

    def _is_absent(self, question: Question) -> bool:
        if question.demos:
            near = demo_similarities(question.query, [fields for fields, _ in question.demos])
            nothing = sum(
                float(s)
                for s, (_, value) in zip(near, question.demos, strict=True)
                if value is None
            )
            return nothing > 0.5 * float(near.sum())
        name = question.name.replace("_", " ")
        if is_request(name):
            return not asked_for(name, joined(question.query))
        return not stems(name) & stems(joined(question.query))

    def _object(self, schema: Schema, question: Question, depth: int) -> dict[str, Any]:
        required = set(schema.get("required", ()))
        properties: Schema = schema.get("properties", {})
        if depth >= DEEPEST:
            properties = {name: part for name, part in properties.items() if name in required}
        wrapped = set(properties) == {"reasoning", "output"}
        filled = {}
        for name, part in properties.items():
            inner = "" if wrapped and name == "output" else name
            filled[name] = self.fill(part, _part(question, name, inner), depth + 1)
        return filled

    def _array(self, schema: Schema, question: Question, depth: int) -> list[Any]:
        least, most = int(schema.get("minItems", 0)), schema.get("maxItems")
        if "prefixItems" in schema:
            return [self.fill(part, question, depth + 1) for part in schema["prefixItems"]]
        items: Schema = self._resolved(schema.get("items", {}))
        if depth >= DEEPEST:
            found: list[Any] = []
        elif "enum" in items:
            found = self._several(items["enum"], question)
        elif kind_of(items) == "string":
            flat = replace(question, demos=tuple((f, _flat(value)) for f, value in question.demos))
            texts = extract(flat, self.mind, self._length(question)) or [
                joined(question.query)[:80]
            ]
            named = asked_for(question.name.replace("_", " "), joined(question.query))
            found = [fitting(text, items) for text in (named or texts)]
        else:
            first = replace(
                question, demos=tuple((f, v[0]) for f, v in question.demos if _is_list(v))
            )
            found = [self.fill(items, first, depth + 1)]
        if schema.get("uniqueItems"):
            found = [value for at, value in enumerate(found) if value not in found[:at]]
        while len(found) < least:
            found.append(
                self.fill(items, replace(question, name=f"{question.name} {len(found)}"), depth + 1)
            )
        return found if most is None else found[: int(most)]

    def _length(self, question: Question) -> int:
        lengths = [len(value) for _, value in question.demos if isinstance(value, list)]
        return (
            max(1, round(sum(lengths) / len(lengths)))
            if lengths
            else min(3, sentence_count(question))
        )

    def _several(self, values: list[Any], question: Question) -> list[Any]:
        """Return the values whose score is near the best one's."""
        by_text = {_text(value): value for value in values}
        scores = decide(tuple(by_text), question, self.mind).scores
        top = max(scores.values())
        return [by_text[label] for label in by_text if scores[label] >= max(0.75 * top, top - 0.3)]

    def _number(self, schema: Schema, question: Question, *, whole: bool) -> float:
        least, most = bounds(schema, whole=whole)
        if whole and most - least <= 10:
            return int(
                decide(
                    [str(n) for n in range(int(least), int(most) + 1)], _texts(question), self.mind
                ).label
            )
        value = min(max(_found_number(question, self.mind), least), most)
        step = schema.get("multipleOf", 1 if whole else None)
        if step:
            value = math.floor(value / step) * step
            value = value + step if value < least else value
        return int(value) if whole else float(value)

    def _string(self, schema: Schema, question: Question) -> str:
        if schema.get("format") in FORMATS:
            near = asked_for(str(schema["format"]).split("-")[0], joined(question.query))
            exact = [token for token in near if schema["format"] in ("email", "date", "uri")]
            fits = [
                t
                for t in exact
                if schema["format"] != "date" or re.fullmatch(r"\d{4}-\d\d-\d\d", t)
            ]
            return fits[0] if fits else FORMATS[schema["format"]]
        if question.name == "reasoning":
            return fitting(reason(question, None), schema)
        return fitting(self._words(question), schema)

    def _words(self, question: Question) -> str:
        """Return the text: a short answer of the demos', an identifier, or sentences."""
        values = [str(value) for _, value in question.demos]
        short = len(values) >= 2 and all(len(value.split()) <= 3 for value in values)
        if short and not any(value in joined(fields) for fields, value in _pairs(question)):
            return decide(tuple(dict.fromkeys(values)), _texts(question), self.mind).label
        name = question.name.replace("_", " ")
        if not question.alone and is_request(name):
            found = asked_for(name, joined(question.query))
            if found:
                return found[0]
        if question.alone:
            return write_text(question, self.mind)
        return " ".join(extract(question, self.mind, 1)) or joined(question.query).strip()


def reason(question: Question, answer: Any) -> str:
    """Return a short reasoning: what the input speaks of, and what that leads to."""
    counts = [
        word for word in words(joined(question.query)) if stem(word) in stems(question.instruction)
    ]
    seen = list(dict.fromkeys(word for word in counts if len(word) > 3))[:3]
    start = sentences_start(joined(question.query))
    about = f"The input speaks of {', '.join(seen)}." if seen else f"The input begins: {start}"
    return about if answer is None else f"{about} This leads to {_text(answer)[:60]}."


def sentences_start(text: str) -> str:
    """Return the first words of a text, as one sentence."""
    return as_sentence(" ".join(text.split()[:12]))


def _pairs(question: Question) -> list[tuple[Any, str]]:
    return [(fields, str(value)) for fields, value in question.demos]


def _texts(question: Question) -> Question:
    return replace(
        question, demos=tuple((fields, _text(value)) for fields, value in question.demos)
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _flat(value: Any) -> str:
    return " ".join(str(part) for part in value) if isinstance(value, list) else str(value)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def _described(schema: Schema, question: Question) -> Question:
    about = str(schema.get("description", ""))
    if not about or about in question.instruction:
        return question
    return replace(question, instruction=f"{question.instruction}\n{about}")


def _part(question: Question, key: str, name: str) -> Question:
    """Return the question for one property: its name, and the demos' values of it."""
    demos = tuple(
        (fields, value[key])
        for fields, value in question.demos
        if isinstance(value, Mapping) and key in value
    )
    return replace(question, name=name, demos=demos, alone=not name)


def _speaks_of(name: str, sentence: str) -> bool:
    wanted = frozenset(stem(word) for word in words(name.replace("_", " ")))
    return wanted <= frozenset(stem(word) for word in words(sentence.replace("_", " ")))


def _found_number(question: Question, mind: Mind) -> float:
    """Return the input's number that stands nearest to the field's name, else the demos'."""
    text = joined(question.query)
    near = frozenset(
        stem(word) for word in words(f"{question.name} {question.instruction}".replace("_", " "))
    )
    found = []
    for match in _NUMBER.finditer(text):
        around = words(text[max(0, match.start() - 30) : match.end() + 20])
        found.append((len({stem(word) for word in around} & near), float(match.group(0))))
    copied = [str(value) in joined(fields) for fields, value in question.demos]
    numbers = [value for _, value in question.demos if isinstance(value, (int, float))]
    if numbers and (not found or not any(copied)):
        labels = tuple(dict.fromkeys(str(value) for value in numbers))
        return float(decide(labels, _texts(question), mind).label)
    return max(found, key=lambda pair: pair[0])[1] if found else 0.0

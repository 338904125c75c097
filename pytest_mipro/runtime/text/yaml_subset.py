"""Read and write YAML with JSON's types alone: no dates, no `yes` for true, no aliases."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.parser import ParserError
from yaml.reader import ReaderError
from yaml.resolver import Resolver
from yaml.scanner import ScannerError

from pytest_mipro.runtime.text.strict_json import MAX_DIGITS

try:
    from yaml import CSafeLoader as FastLoader
except ImportError:  # a PyYAML that was built without libyaml
    from yaml import SafeLoader as FastLoader  # type: ignore[assignment]

MAX_DEPTH = 100
"""How deep lists and mappings may be nested in a row of cases, the row itself included."""
_TOO_DEEP = f"the row is nested deeper than {MAX_DEPTH} levels"
_TYPES = ("null", "bool", "int", "float", "str", "seq", "map")
_TEXT = "tag:yaml.org,2002:str"
_ROW_TAGS = frozenset({f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map")} | {None, "!"})


class YAMLTextError(ValueError):
    """A problem in a YAML text, in one line; `line` counts from 1."""

    def __init__(self, text: str, line: int) -> None:
        super().__init__(text)
        self.line = line


class Block(str):
    """A text that is written as a block scalar even if it has one line."""

    __slots__ = ()


def load(text: str) -> tuple[Any, yaml.Node | None]:
    """Return the value of a YAML text, and its node, which knows the lines of its parts.

    Keys must be texts: numbers are quoted. Raises YAMLTextError.
    """
    return _load(text, _Loader)


def load_rows(text: str) -> list[tuple[int, Any]]:
    """Return the items of a YAML list, each with its line; an empty text has none.

    Keys are read as texts, quoted or not. Raises YAMLTextError, also for rows that are nested
    deeper than MAX_DEPTH.
    """
    rows, node = _load(text, _RowLoader)
    if node is None:
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise problem("expected a list of rows, each a mapping (`- id: …`)", node)
    lines = (item.start_mark.line + 1 for item in node.value)
    return list(zip(lines, rows, strict=True))


def _load(text: str, kind: type[_Loader | _RowLoader]) -> tuple[Any, yaml.Node | None]:
    try:
        loader = kind(text)
        try:
            node: yaml.Node | None = loader.get_single_node()
            return (None if node is None else loader.construct_document(node)), node
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark, text = error.problem_mark or error.context_mark, str(error.problem or error.context)
        if "unexpected end of stream" in text and error.context_mark:  # where the quote opened
            mark, text = error.context_mark, "a quote that is opened here is never closed; close it"
        line = mark.line + 1 if mark else 1
        if "nesting depth" in text:  # newer parsers read ahead, and stop at a depth of their own
            text = _TOO_DEEP
        elif "another document" in text:
            text = "a second document begins here; drop the line `---`"
        elif text == error.problem and isinstance(error, ScannerError | ParserError):
            text += "; check the quotes, colons and indentation there"
        raise YAMLTextError(text, line) from None
    except ReaderError as error:
        code = int(error.character)
        raise YAMLTextError(
            f"the character U+{code:04X} is not allowed; write it as an escape in double quotes",
            text.count("\n", 0, text.find(chr(code))) + 1,
        ) from None
    except RecursionError:
        raise YAMLTextError("its values are nested too deeply", 1) from None
    except (TypeError, ValueError):  # PyYAML's own, as for `!!map text` and `!!map [a]`
        raise YAMLTextError("a tag (`!!name`) does not fit its value; drop it", 1) from None


def dump(data: Any) -> str:
    """Return the YAML text of a JSON value, keys in their order; the same value, the same bytes."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=math.inf)


def problem(text: str, node: yaml.Node | None) -> YAMLTextError:
    """Return the problem with the line at which the node begins."""
    return YAMLTextError(text, 1 if node is None else node.start_mark.line + 1)


class _Rules(Composer, SafeConstructor, Resolver):
    """How both loaders differ from PyYAML."""

    peek_event: Callable[[], Any]
    unquoted_keys = False
    max_depth = sys.maxsize
    tags: frozenset[str | None] | None = None
    depth = 0
    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - PyYAML's own table
    yaml_constructors = {  # noqa: RUF012 - PyYAML's own table
        tag: constructor
        for tag, constructor in yaml.SafeLoader.yaml_constructors.items()
        if tag is None or tag.rpartition(":")[2] in _TYPES
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):  # a few of them can expand to gigabytes
            raise _refusal("an alias (`*name`) is not allowed here; repeat the value", event)
        tag = getattr(event, "tag", None)
        if self.tags is not None and tag not in self.tags:
            raise _refusal(f"the tag {tag!r} is not allowed here; drop it", event)
        self.anchors.clear()  # without aliases two equal ones do no harm
        self.depth += (opens := isinstance(event, yaml.CollectionStartEvent))
        if self.depth > self.max_depth:
            raise _refusal(_TOO_DEEP, event)
        node = super().compose_node(parent, index)
        self.depth -= opens
        if self.tags is not None and tag is not None and isinstance(node, yaml.ScalarNode):
            node.tag = _TEXT  # `! 5` is a text
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen: set[str] = set()
        for key, _ in node.value:
            if self.unquoted_keys and isinstance(key, yaml.ScalarNode):
                key.tag = _TEXT
            if key.tag != _TEXT:
                shown = key.value[:60] if isinstance(key, yaml.ScalarNode) else f"of a {key.id}"
                raise _refusal(f"the key {shown} is not text; quote it", key)
            if key.value in seen:
                raise _refusal(f"the key {key.value!r:.60} appears twice", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            value = super().construct_object(node, deep=deep)
        except (
            ValueError,
            KeyError,
            IndexError,
        ):  # PyYAML raises them for `!!bool maybe` or endless digits
            kind = node.tag.rpartition(":")[2]
            raise _refusal(f"{node.value!r:.60} can't be read as {kind}", node) from None
        if type(value) is int and len(node.value) > MAX_DIGITS:
            text = f"the number {node.value:.20}… has more than {MAX_DIGITS} digits; quote it"
            raise _refusal(text, node)
        if isinstance(value, float) and not math.isfinite(value):
            raise _refusal(f"{node.value!r:.60} is not a finite number; use null", node)
        return value


class _Loader(_Rules, yaml.SafeLoader):
    """Reads prompt files, with PyYAML's own parser."""


class _RowLoader(_Rules, FastLoader):
    """Reads rows of cases, thousands of them: with libyaml's parser where it is there."""

    # Composing nodes in C, as the fast loader does, overflows the stack on deeply nested text.
    unquoted_keys = True
    max_depth = MAX_DEPTH + 1  # the list of all rows is a level too
    tags = _ROW_TAGS

    def __init__(self, text: str) -> None:
        Composer.__init__(self)
        FastLoader.__init__(self, text)


class _Dumper(yaml.SafeDumper):
    def analyze_scalar(self, scalar: str) -> Any:
        analysis = super().analyze_scalar(scalar)
        if "\t" in scalar:  # PyYAML treats a tab as a control character, but blocks can hold it
            untabbed = super().analyze_scalar(scalar.replace("\t", "x"))
            analysis.allow_block = untabbed.allow_block
        return analysis

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the dumper's signature
        return True


# The dumper gets the loader's rules on top of YAML 1.1's: it must quote every text that the loader
# would read as a number.
for _tag, _pattern, _first in (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"-?(?:0|[1-9][0-9]*)", list("-0123456789")),
    ("float", r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", list("-0123456789")),
):
    for _table in (_Loader, _RowLoader, _Dumper):
        _table.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})\Z"), _first
        )

# `.nan` in a row is meant as a number: refuse it rather than read a text.
_RowLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\.(?:inf|nan)\Z", re.IGNORECASE), list("-+.")
)


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if isinstance(text, Block) or "\n" in text else None
    if any(end in text for end in "\x85\u2028\u2029"):  # PyYAML would read raw ones as line ends
        style = '"'
    return dumper.represent_scalar(_TEXT, str(text), style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_representer(Block, _represent_text)


def _refusal(text: str, place: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=text, problem_mark=place.start_mark)

"""Find LM modules and prompt texts by what a user calls them; modules are imported."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from pytest_mipro.cli.repo.importing import AnyModule, modules_of
from pytest_mipro.cli.repo.sources import MAKERS, Found, FoundPrompt, prompts_in, source_text
from pytest_mipro.cli.repo.trees import Folder
from pytest_mipro.errors import ConfigurationError
from pytest_mipro.plugin.config.paths import relative_path
from pytest_mipro.runtime.client.contract import Message
from pytest_mipro.runtime.prompts.committed_prompts import committed_prompt, with_variants
from pytest_mipro.runtime.prompts.placeholders import joined
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES
from pytest_mipro.runtime.prompts.render import render, says_demos, text_parts
from pytest_mipro.runtime.signature.signature import (
    VARIANT_SIGN,
    Signature,
    defined_signature,
    defined_signatures,
    is_variant,
    plain_file,
    variant_of_file,
)
from pytest_mipro.runtime.signature.text_signature import (
    USER_MESSAGE,
    TextSignature,
    text_signature,
)

AnyPrompt = AnyModule | TextSignature
"""What has a prompt: an LM module, or a prompt text by its signature."""


def prompts_named(root: Path, target: str = "") -> list[AnyPrompt]:
    """Return the LM modules and prompt texts that a name or a file means; all for "".

    The name of a module is `<source stem>.<function>`, as reports have it, the function alone, or
    one that Python imports, with a dot or a colon; that of a text is its file's, with as much of
    the path as one likes. `@` and a variant may follow. A file is a source or a prompt file. Raises
    ConfigurationError where there is none, or where a name means several.
    """
    return _Search(root).named(target)


def asked(prompt: AnyPrompt) -> Signature:
    """Return the signature that a call goes by: that of the variant, or the plain one."""
    if isinstance(prompt, TextSignature):
        return prompt
    return prompt._asked()  # noqa: SLF001 - users have no need of it


def text_messages(signature: TextSignature) -> tuple[Message, ...]:
    """Return the text as a system message, its demos, and the place of the user's message."""
    prompt = committed_prompt(signature)
    pieces, names = text_parts(signature, prompt)
    demos = () if says_demos(prompt) else prompt.demos
    whole = replace(prompt, instruction=joined(pieces, names, {}), demos=demos)
    return render(signature, whole, {USER_MESSAGE: f"{{{USER_MESSAGE}}}"})


class _Search:
    """A search in the sources of a project."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        tree = Folder(root)
        self._sources = {
            path: prompts_in(source_text(tree, path), path) for path in tree.paths(".py", *MAKERS)
        }
        self._texts = {  # all of them, since texts of one name are called by their files, too
            path: [_text_at(self._root / text.prompt_path) for text in found.texts]
            for path, found in self._sources.items()
        }

    def named(self, target: str) -> list[AnyPrompt]:
        file = _inside(self._root, target)
        found = self._found(target, file) or self._following(target, file)
        if file is None:  # a whole name may be the end of another one
            whole = target.replace(":", ".")
            found = [e for e in found if self._long_name(e) in {target, whole}] or found
        if not found:
            raise ConfigurationError(_unknown(target, self._sources))
        if target and file is None and len({asked(each).prompt_path for each in found}) > 1:
            names = ", ".join(sorted(map(self._long_name, found)))
            raise ConfigurationError(f"{target!r} means several: {names}; give one of these")
        return found

    def _found(self, target: str, file: str | None) -> list[AnyPrompt]:
        wanted = [
            path for path, found in self._sources.items() if _may_be(target, file, path, found)
        ]
        meant = {
            asked(each): each
            for path in wanted
            for plain in self._prompts_of(path)
            for each in _with_variants(plain)
            if self._is_meant(each, target, file, path)
        }
        return list(meant.values())

    def _following(self, target: str, file: str | None) -> list[AnyPrompt]:
        """Return what a variant without a file of its own means: the plain prompt."""
        if target.endswith(PROMPT_SUFFIXES):
            plain, variant = str(plain_file(Path(target))), variant_of_file(Path(target))
        else:
            plain, _, variant = target.rpartition(VARIANT_SIGN)
        if file is not None or not plain or not is_variant(variant):
            return []
        return [
            _variant_of(each, variant) for each in self._found(plain, _inside(self._root, plain))
        ]

    def _prompts_of(self, source: str) -> Iterator[AnyPrompt]:
        found = self._sources[source]
        if found.modules or found.more:
            yield from modules_of(self._root / source)
        yield from self._texts[source]
        if found.more:
            yield from (
                each
                for each in defined_signatures()
                if isinstance(each, TextSignature) and _is_used_by(self._root / source, each)
            )

    def _is_meant(self, prompt: AnyPrompt, target: str, file: str | None, source: str) -> bool:
        signature = asked(prompt)
        if not target or file == source:
            return True
        if file is not None:
            return self._root / file == signature.prompt_path
        if isinstance(prompt, TextSignature):
            names, part, wanted = [self._long_name(prompt)], "/", target
        else:
            names, part, wanted = [self._long_name(prompt)], ".", target.replace(":", ".")
        names += [signature.full_name, signature.label]
        return any(f"{part}{name}".endswith(f"{part}{wanted}") for name in names)

    def _long_name(self, prompt: AnyPrompt) -> str:
        """Return the name that Python imports; of a text, the path of its file."""
        if isinstance(prompt, TextSignature):
            return relative_path(prompt.prompt_path, self._root)
        signature = prompt.signature
        variant = asked(prompt).variant
        end = f"{VARIANT_SIGN}{variant}" if variant else ""
        return f"{signature.function.__module__}.{signature.function.__qualname__}{end}"


def _is_used_by(source: Path, text: TextSignature) -> bool:
    file = text.user.get("__file__")
    return text.is_in_use and isinstance(file, str) and Path(file).resolve() == source


def _text_at(path: Path) -> TextSignature:
    path = path.resolve()
    known = defined_signature(path.name, path)
    return known if isinstance(known, TextSignature) else text_signature(path)


def _with_variants(prompt: AnyPrompt) -> Iterator[AnyPrompt]:
    plain = asked(prompt) if isinstance(prompt, TextSignature) else prompt.signature
    return (_variant_of(prompt, each.variant) for each in with_variants(plain))


def _variant_of(prompt: AnyPrompt, name: str) -> AnyPrompt:
    if isinstance(prompt, TextSignature):
        return prompt.of_variant(name)
    return prompt.using(variant=name)


def _inside(root: Path, target: str) -> str | None:
    """Return the path, from the root, of the file that a target is; None for a name."""
    path = Path(target).resolve()
    if not target.endswith((".py", *PROMPT_SUFFIXES)):
        return None
    if not path.is_file():
        if target.endswith(".py"):
            raise ConfigurationError(f"{target}: there is no such file")
        return None  # a text has the name of its file
    if not path.is_relative_to(root):
        raise ConfigurationError(f"{target}: the file is outside the project {root}")
    return path.relative_to(root).as_posix()


def _may_be(target: str, file: str | None, path: str, found: Found) -> bool:
    """Return whether a source has to be looked at to see if the prompt is there."""
    if not target or found.more:
        return True
    if file is not None:
        plain = plain_file(Path(file)).as_posix()
        return file == path or any(each.prompt_path == plain for each in found.prompts)
    return any(_name_fits(each, target) for each in found.prompts)


def _name_fits(prompt: FoundPrompt, target: str) -> bool:
    name = target.partition(" (")[0]  # behind it is the file, where several have the name
    name = name.rpartition(VARIANT_SIGN)[0] or name
    if prompt.is_text:
        path = f"/{prompt.prompt_path}"
        return path.endswith((f"/{name}", f"/{plain_file(Path(target)).as_posix()}"))
    dotted = posixpath.splitext(prompt.source)[0].replace("/", ".") + f".{prompt.known_as}"
    return f".{dotted}".endswith("." + name.replace(":", "."))


def _unknown(target: str, sources: Mapping[str, Found]) -> str:
    names = _known_names(sources.values())
    unread = [f"{path}:{found.problem}" for path, found in sources.items() if found.problem]
    unseen = f"; prompts of {unread[0]}, can't be seen" if unread else ""
    if not target:
        remedy = unseen or "; run this in your project's folder"
        return f"there is no LM module and no prompt text here{remedy}"
    called = {form: name for name in names for form in (name, name.rpartition(".")[2])}
    near = get_close_matches(target, called, n=1)
    meant = f"; did you mean {called[near[0]]!r}?" if near else ""
    is_file = Path(target).is_file()
    what = "is a prompt of no source" if is_file else "is no LM module and no prompt text"
    return f"{target!r} {what}{meant or f'; there are {_listed(names)}'}{unseen}"


def _known_names(sources: Iterable[Found]) -> list[str]:
    return sorted({prompt.name for found in sources for prompt in found.prompts})


def _listed(names: Sequence[str]) -> str:
    most = 8
    shown = ", ".join(names[:most]) or "none"
    return f"{shown}, and {len(names) - most} more" if len(names) > most else shown

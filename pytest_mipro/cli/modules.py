"""Find an LM module by what a user calls it, and import it as the project's tests do."""

from __future__ import annotations

import importlib
import posixpath
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

from pytest_mipro.cli.project import described
from pytest_mipro.cli.sources import DECORATOR, Found, FoundModule, modules_in, source_text
from pytest_mipro.cli.trees import Folder
from pytest_mipro.errors import ConfigurationError, MiproError
from pytest_mipro.runtime.module import LMModule
from pytest_mipro.runtime.prompts.prompt_file import PROMPT_SUFFIXES, with_variants
from pytest_mipro.runtime.signature.function_signature import FunctionSignature
from pytest_mipro.runtime.signature.signature import VARIANT_SIGN, plain_file

AnyModule = LMModule[..., Any]


def modules_named(root: Path, target: str = "") -> list[AnyModule]:
    """Return the LM modules that a name or a file means; all of the project for "".

    A name is `<source stem>.<function>`, as reports have it, the function alone, or one that
    Python imports, with a dot or a colon; a file is a source or a prompt file. Raises
    ConfigurationError where there is none, or where a name means several.
    """
    tree = Folder(root)
    sources = {
        path: modules_in(source_text(tree, path), path) for path in tree.paths(".py", DECORATOR)
    }
    file = _inside(root, target) if target.endswith((".py", *PROMPT_SUFFIXES)) else None
    wanted = [path for path, found in sources.items() if _may_be(target, file, path, found)]
    modules = [
        module
        for path in wanted
        for plain in _modules_of(root / path)
        for module in _with_variants(plain)
        if _is_meant(module, target, file, root)
    ]
    if not modules:
        raise ConfigurationError(_unknown(target, sources))
    if target and file is None and len({asked(module).prompt_path for module in modules}) > 1:
        names = ", ".join(sorted(_dotted(module) for module in modules))
        raise ConfigurationError(f"{target!r} means several LM modules: {names}; give one of these")
    return modules


def asked(module: AnyModule) -> FunctionSignature:
    """Return the signature that a call goes by: that of the module's variant, or the plain one."""
    return module._asked()  # noqa: SLF001 - users have no need of it


def _with_variants(module: AnyModule) -> Iterator[AnyModule]:
    return (module.using(variant=each.variant) for each in with_variants(module.signature))


def _inside(root: Path, target: str) -> str | None:
    path = Path(target).resolve()
    if not path.exists():
        raise ConfigurationError(f"{target}: there is no such file")
    if not path.is_relative_to(root.resolve()):
        raise ConfigurationError(f"{target}: the file is outside the project {root}")
    return path.relative_to(root.resolve()).as_posix()


def _may_be(target: str, file: str | None, path: str, found: Found) -> bool:
    """Return whether a source has to be imported to see if the module is there."""
    if not target or found.more:
        return True
    if file is not None:
        plain = plain_file(Path(file)).as_posix()
        return file == path or any(module.prompt_path == plain for module in found.modules)
    name = target.partition(VARIANT_SIGN)[0]
    return any(_name_fits(module, name) for module in found.modules)


def _name_fits(module: FoundModule, target: str) -> bool:
    dotted = posixpath.splitext(module.source)[0].replace("/", ".") + f".{module.function}"
    return f".{dotted}".endswith("." + target.replace(":", "."))


def _is_meant(module: AnyModule, target: str, file: str | None, root: Path) -> bool:
    signature = asked(module)
    if file is not None:
        meant = (root / file).resolve()
        return meant in (signature.prompt_path, Path(signature.function.__code__.co_filename))
    names = (signature.full_name, signature.label, _dotted(module))
    wanted = target.replace(":", ".")
    return not target or any(f".{name}".endswith(f".{wanted}") for name in names)


def _dotted(module: AnyModule) -> str:
    signature = asked(module)
    variant = f"{VARIANT_SIGN}{signature.variant}" if signature.variant else ""
    return f"{signature.function.__module__}.{signature.function.__qualname__}{variant}"


def _modules_of(path: Path) -> Iterator[AnyModule]:
    """Yield the modules that a source defines, once each."""
    seen = set[int]()
    for value in list(vars(_imported(path)).values()):
        if issubclass(type(value), LMModule) and id(value.signature) not in seen:
            seen.add(id(value.signature))
            if Path(value.signature.function.__code__.co_filename).resolve() == path.resolve():
                yield value


def _imported(path: Path) -> ModuleType:
    problem = "no folder of pytest's `pythonpath` is above it"
    for name in _import_names(path):
        try:
            module = importlib.import_module(name)
        except MiproError:
            raise
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the project's code may raise anything
            problem = described(error)
            continue
        found = getattr(module, "__file__", None)
        if found and Path(found).resolve() == path.resolve():
            return module
    raise ConfigurationError(f"{path}: can't be imported ({problem}); correct that first")


def _import_names(path: Path) -> list[str]:
    """Return the names under which a source may be imported, from the nearest import path on."""
    roots = [Path(entry or ".").resolve() for entry in sys.path]
    package = path.resolve().parent
    while (package / "__init__.py").exists():
        package = package.parent
    above = [root for root in {*roots, package} if path.resolve().is_relative_to(root)]
    inside = [
        root
        for root in sorted(above, key=lambda root: len(root.parts), reverse=True)
        if not (root / "__init__.py").exists()  # there, it would be imported as a part of nothing
    ]
    parts = [path.resolve().relative_to(root).with_suffix("").parts for root in inside]
    names = [each[:-1] if each[-1] == "__init__" else each for each in parts]
    return [".".join(each) for each in names if all(map(str.isidentifier, each))]


def _unknown(target: str, sources: dict[str, Found]) -> str:
    names = known_names(sources.values())
    if not target:
        return "there is no LM module here; run this in the folder of your project"
    called = {form: name for name in names for form in (name, name.rpartition(".")[2])}
    near = get_close_matches(target, called, n=1)
    meant = f"; did you mean {called[near[0]]!r}?" if near else ""
    return f"{target!r} is no LM module{meant or f'; there are {_listed(names)}'}"


def known_names(sources: Iterable[Found]) -> list[str]:
    """Return the names of modules in sources, sorted."""
    return sorted(module.name for found in sources for module in found.modules)


def _listed(names: Sequence[str]) -> str:
    most = 8
    shown = ", ".join(names[:most]) or "none"
    return f"{shown}, and {len(names) - most} more" if len(names) > most else shown

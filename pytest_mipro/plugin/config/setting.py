"""A row of the table of settings, and the kinds of values that it may take.

Every pytest run imports this file: it imports nothing that pytest has not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
D = TypeVar("D")


class Setting(Generic[T]):
    """A row of the table: how a setting is given, checked and explained.

    `given` holds where: "option", "ini" or both; the variable `environment` comes between the two.
    `unset` describes a default that is no value. A setting of the `search` is refused when typed
    without `--mipro-optimize`.
    """

    def __init__(
        self,
        kind: Kind[Any],
        default: T,
        given: str,
        text: str,
        unset: str = "",
        environment: str = "",
        *,
        search: bool = False,
    ) -> None:
        self.kind = kind
        self.default = default
        self.text = text
        self.shown_default = unset or str(default)
        self.environment = environment
        self.search = search
        self._given = given

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name
        self.option = f"--mipro-{name.replace('_', '-')}" if "option" in self._given else ""
        self.key = f"mipro_{name}" if "ini" in self._given else ""

    def __get__(self, options: object | None, owner: type) -> T:
        return self.default  # a value that was given stands in the instance and is found first


class Kind(Generic[T]):
    """How values are checked, what stands for them in the help, and pytest's type of the ini key.

    The check of a `path` gets the folder where pytest runs, too.
    """

    def __init__(
        self, check: Callable[..., T], metavar: str, ini: str = "string", *, path: bool = False
    ) -> None:
        self.check = check
        self.metavar = metavar
        self.ini: Any = ini
        self.path = path

    def option(self, default: D, text: str, unset: str = "", **more: Any) -> Setting[T | D]:
        """Return the row of an option."""
        return Setting(self, default, "option", text, unset, **more)

    def ini_key(self, default: D, text: str, unset: str = "", **more: Any) -> Setting[T | D]:
        """Return the row of an ini key."""
        return Setting(self, default, "ini", text, unset, **more)

    def both(self, default: D, text: str, unset: str = "", **more: Any) -> Setting[T | D]:
        """Return the row of an option that is an ini key, too."""
        return Setting(self, default, "option ini", text, unset, **more)

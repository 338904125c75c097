"""A hook of mkdocs: adapt pages, written to be read in the repo, to the site."""  # noqa: INP001

from __future__ import annotations

import html
import posixpath
import re
from pathlib import Path
from typing import Any

_OUTWARDS = re.compile(r"\]\(((?:\.\./)+[^)#]*)(#[^)]*)?\)")
_NAMED_BY_FILE = re.compile(r"\[([\w-]+\.md)\](\(\1[)#])")
_CODE_WITH_BAR = re.compile(r"`([^`\n]*\\\|[^`\n]*)`")


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Return the page's text for the site.

    A link out of `docs/` leads into the repo. A link that shows the name of its file shows the
    title of that page. A bar in code, escaped for GitHub's tables, is a bar.
    """
    folder = posixpath.dirname(page.file.src_uri)

    def into_repo(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join("docs", folder, link[1]))
        if path.startswith("docs/"):
            return link[0]
        return f"]({config['repo_url'].rstrip('/')}/blob/main/{path}{link[2] or ''})"

    def titled(link: re.Match[str]) -> str:
        named = Path(config["docs_dir"], folder, link[1])
        title = named.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        return f"[{title}]{link[2]}"

    text = _NAMED_BY_FILE.sub(titled, _OUTWARDS.sub(into_repo, markdown))
    return _CODE_WITH_BAR.sub(_with_bar, text)


def _with_bar(code: re.Match[str]) -> str:
    text = html.escape(code[1].replace("\\|", "|"))
    return f"<code>{text.replace('|', '&#124;<wbr>')}</code>"

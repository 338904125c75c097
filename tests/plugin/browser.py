"""A headless Chromium for tests of pages, driven by its own protocol; Debian's package has it.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
BROWSER = next(filter(None, map(shutil.which, _NAMES)), "")
needs_browser = pytest.mark.skipif(
    not BROWSER, reason="no Chromium is installed (Debian: chromium)"
)
_KEYS = {"Enter": "\r", "Tab": "\t", " ": " "}
_SECONDS = 30


class Page:
    """A page in the browser. `problems` are its errors, and what its policy blocked."""

    def __init__(self, address: str) -> None:
        self.problems: list[str] = []
        self.requested: list[str] = []
        self._number = 0
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._wait(self._connect(address))
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def open(self, path: Path) -> float:
        """Open a file and wait until it is drawn; return the seconds that took."""
        began = time.perf_counter()
        self.send("Page.navigate", url=path.as_uri())
        while not self.js("document.readyState === 'complete' && location.protocol === 'file:'"):
            time.sleep(0.01)
        self.js("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return time.perf_counter() - began

    def js(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        told = self.send(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press a key and let it go."""
        more = {"text": _KEYS[key]} if key in _KEYS else {}
        code = {"Enter": 13, "Tab": 9, "Escape": 27, "ArrowRight": 39, "ArrowLeft": 37, " ": 32}
        known = {"key": key, "windowsVirtualKeyCode": code[key], "modifiers": 8 if shift else 0}
        self.send("Input.dispatchKeyEvent", type="keyDown", **known, **more)
        self.send("Input.dispatchKeyEvent", type="keyUp", **known)

    def click(self, element: str) -> None:
        """Click in the middle of the element that the expression gives, as a mouse does."""
        self.js(f"({element}).scrollIntoView({{block: 'center'}})")
        place = f"(() => {{const b = ({element}).getBoundingClientRect();"
        x, y = self.js(f"{place} return [b.x + b.width / 2, b.y + b.height / 2]}})()")
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Have a window of this size, in this theme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", media="", features=[theme])

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """Write a screenshot."""
        told = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(told["data"]))

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        return self._wait(self._send(method, parameters))

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    async def _connect(self, address: str) -> None:
        self._session = aiohttp.ClientSession()
        self._socket = await self._session.ws_connect(address, max_msg_size=0)
        self._listener = self._loop.create_task(self._listen())

    async def _listen(self) -> None:
        async for message in self._socket:
            told = json.loads(message.data)
            if "id" in told:
                self._answers.pop(told["id"]).set_result(told)
            elif told["method"] == "Network.requestWillBeSent":
                self.requested.append(told["params"]["request"]["url"])
            elif told["method"] in ("Runtime.exceptionThrown", "Log.entryAdded") or (
                told["method"] == "Runtime.consoleAPICalled" and told["params"]["type"] == "error"
            ):
                self.problems.append(json.dumps(told["params"]))

    async def _send(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        number, answer = self._number, self._loop.create_future()
        self._answers[number] = answer
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        told = await answer
        assert "error" not in told, (method, told["error"])
        found: dict[str, Any] = told["result"]
        return found

    def close(self) -> None:
        """Leave the browser."""
        self._listener.cancel()
        self._wait(self._session.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_SECONDS)
        self._loop.close()


@contextmanager
def opened_browser(folder: Path) -> Iterator[Page]:
    """Yield a page of a browser of its own, whose profile is in the folder."""
    options = ["--headless", "--no-sandbox", "--remote-debugging-port=0", "--disable-gpu"]
    options += [f"--user-data-dir={folder}", "--hide-scrollbars", "--no-first-run"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen([BROWSER, *options, "about:blank"], **quiet)
    try:
        page = Page(_address(folder))
        try:
            yield page
        finally:
            page.close()
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _address(folder: Path) -> str:
    """Return where the browser's first page listens, once it says so."""
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until:
        try:
            port = (folder / "DevToolsActivePort").read_text().splitlines()[0]
            return asyncio.run(_first_page(port))
        except (OSError, IndexError, StopIteration, aiohttp.ClientError):
            time.sleep(0.05)
    raise TimeoutError(f"{BROWSER} did not start")


async def _first_page(port: str) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/json/list") as told,
    ):
        pages = [each for each in await told.json() if each["type"] == "page"]
    return str(pages[0]["webSocketDebuggerUrl"])

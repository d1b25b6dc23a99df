"""WebKitGTK's MiniBrowser, driven by W3C WebDriver over HTTP on a virtual display."""

from __future__ import annotations

import base64
import contextlib
import json
import mimetypes
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.browsers.protocol import PATIENCE_SECONDS, BrowserError, MissingError, Name, Tab

BROWSERS = (
    "/usr/lib/*/webkit2gtk-4.1/MiniBrowser",
    "/usr/lib/*/webkitgtk-6.0/MiniBrowser",
    "/usr/libexec/webkit2gtk-4.1/MiniBrowser",
)

START_SECONDS = 30.0
"""Until the display, the driver or the browser answers."""

ATTEMPTS = 2
"""The driver waits for ever for a browser that ends while it starts."""

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which WebDriver hands over an element: https://www.w3.org/TR/webdriver2/#elements"""

KEYS = {
    "Tab": "\ue004", "Enter": "\ue007", "Escape": "\ue00c", "Space": " ", "ArrowLeft": "\ue012",
    "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015", "Shift": "\ue008",
}  # fmt: skip

GUARD = '"$@" & read -r _; kill -9 0'
"""A shell that ends a program, with all that it started, when this process ends, however it does."""

_VIOLATIONS = """globalThis.driverViolations = []; addEventListener('securitypolicyviolation', (event) =>
  driverViolations.push(`${event.effectiveDirective} blocked ${event.blockedURI} (${event.sourceFile})`))"""

_CHOOSE = """(selector, files) => {
  const data = new DataTransfer();
  for (const {name, type, content} of files) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, {type}));
  }
  const input = document.querySelector(selector);
  input.files = data.files;
  input.dispatchEvent(new Event('input', {bubbles: true}));
  input.dispatchEvent(new Event('change', {bubbles: true}));
}"""


class WebKitBrowser:
    """A virtual display on which each tab is a browser of its own: the driver has one session at a time."""

    name: Name = "webkit"

    def __init__(self, *, profile: Path | None = None, dark: bool = False) -> None:
        """Starts the display.

        Args:
            profile: A folder for tabs whose storage is shared; None for one that is thrown away.
            dark: Whether the user prefers dark pages.

        Raises:
            MissingError: The browser, its driver or the display is not installed.
        """
        found = [path for pattern in BROWSERS for path in sorted(Path("/").glob(pattern[1:]))]
        driver, display = shutil.which("WebKitWebDriver"), shutil.which("Xvfb")
        if not found or driver is None:
            raise MissingError("WebKitGTK's browser and driver (webkit2gtk-driver) are not installed")
        if display is None:
            raise MissingError("Xvfb (xvfb) is not installed")
        self._browser, self._driver, self._dark = str(found[0]), driver, dark
        self._temporary = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._profile = profile or Path(self._temporary.name) / "shared"
        self._tabs: list[_WebKitPage] = []
        read, write = os.pipe()
        screen = ("-screen", "0", "1600x4000x24", "-nolisten", "tcp")
        self._display = _guarded([display, "-displayfd", str(write), *screen], pass_fds=(write,))
        os.close(write)
        # In two pieces: the number, and the end of the line.
        told = b""
        while not told.endswith(b"\n") and select.select([read], [], [], START_SECONDS)[0]:
            piece = os.read(read, 16)
            if not piece:
                break
            told += piece
        os.close(read)
        self._number = told.decode().strip()
        if not told.endswith(b"\n"):
            self.close()
            raise BrowserError("Xvfb did not start")

    def page(self, *, width: int = 1280, height: int = 900, dark: bool = False, shared: bool = False) -> Tab:
        """See :class:`benchmarks.browsers.protocol.Browser`; ``dark`` is that of the browser or of the tab."""
        home = self._profile if shared else Path(tempfile.mkdtemp(dir=self._temporary.name))
        home.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ,
            "DISPLAY": f":{self._number}",
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "GTK_THEME": "Adwaita:dark" if dark or self._dark else "Adwaita",
            "GDK_BACKEND": "x11",
            "NO_AT_BRIDGE": "1",
            # There is no GPU, and none is looked for.
            "LIBGL_ALWAYS_SOFTWARE": "1",
            "no_proxy": "*",
        }
        page = _WebKitPage(self._driver, self._browser, environment)
        self._tabs.append(page)
        page.view(width, height)
        return Tab(page)

    def close(self) -> None:
        """Ends all."""
        for tab in self._tabs:
            tab.close()
        _end(self._display)
        self._temporary.cleanup()


class _WebKitPage:
    def __init__(self, driver: str, browser: str, environment: dict[str, str]) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for attempt in range(ATTEMPTS):
            with socket.socket() as taken:
                taken.bind(("127.0.0.1", 0))
                port = taken.getsockname()[1]
            self._process = _guarded([driver, f"--port={port}"], env=environment)
            self._client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS + 30, trust_env=False
            )
            try:
                self._session = self._start(browser)
                return
            except BaseException as error:
                _end(self._process)
                self._client.close()
                if not isinstance(error, BrowserError) or attempt == ATTEMPTS - 1:
                    raise

    def _start(self, browser: str) -> str:
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self._client.get("/status")
                break
            except httpx.TransportError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise BrowserError("WebKitWebDriver did not start") from None
                time.sleep(0.05)
        milliseconds = int(PATIENCE_SECONDS * 1000)
        wanted = {
            "webkitgtk:browserOptions": {"binary": browser, "args": ["--automation"]},
            "timeouts": {"script": milliseconds, "pageLoad": milliseconds},
            "unhandledPromptBehavior": "accept",
        }
        try:
            answer = self._client.post(
                "/session", json={"capabilities": {"alwaysMatch": wanted}}, timeout=START_SECONDS
            )
            value = answer.json()["value"]
        except (httpx.TransportError, ValueError) as error:
            raise BrowserError(f"MiniBrowser did not start: {error!r}") from error
        if "sessionId" not in value:
            raise BrowserError(f"MiniBrowser did not start: {value}")
        return str(value["sessionId"])

    def _send(self, method: str, path: str, **body: Any) -> Any:
        try:
            answer = self._client.request(
                method, f"/session/{self._session}/{path}", **({"json": body} if method == "POST" else {})
            )
            value = answer.json()["value"]
        except (httpx.TransportError, ValueError) as error:
            raise BrowserError(f"{path}: {error!r}") from error
        if answer.status_code != 200:
            raise BrowserError(f"{path}: {value['error']}: {value['message'][:2000]}")
        return value

    def open(self, url: str) -> None:
        self._send("POST", "url", url=url)
        self._send("POST", "execute/sync", script=_VIOLATIONS, args=[])

    def reload(self) -> None:
        self._send("POST", "refresh")
        self._send("POST", "execute/sync", script=_VIOLATIONS, args=[])

    def evaluate(self, expression: str) -> str:
        script = (
            "const done = arguments[arguments.length - 1];"
            f"(async () => JSON.stringify((await ({expression})) ?? null) ?? 'true')()"
            ".then((value) => done({value}), (error) => done({error: `${error} ${error?.stack ?? ''}`}))"
        )
        found = self._send("POST", "execute/async", script=script, args=[])
        if "error" in found:
            raise BrowserError(f"value: {found['error']}")
        return str(found["value"])

    def _element(self, selector: str) -> str:
        return str(self._send("POST", "element", using="css selector", value=selector)[ELEMENT])

    def click(self, selector: str) -> None:
        self._send("POST", f"element/{self._element(selector)}/click")

    def key(self, name: str, *, shift: bool = False) -> None:
        pressed = [*([KEYS["Shift"]] if shift else []), KEYS.get(name, name)]
        steps = [{"type": "keyDown", "value": key} for key in pressed]
        steps += [{"type": "keyUp", "value": key} for key in reversed(pressed)]
        self._send("POST", "actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])

    def choose(self, selector: str, *files: Path) -> None:
        # The driver's own way takes only the first of several files.
        told = [
            {
                "name": file.name,
                "type": mimetypes.guess_type(file.name)[0] or "",
                "content": base64.b64encode(file.read_bytes()).decode(),
            }
            for file in files
        ]
        self.evaluate(f"({_CHOOSE})({json.dumps(selector)}, {json.dumps(told)})")

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        outer = (width, height)
        for _ in range(3):
            self._send("POST", "window/rect", x=0, y=0, width=outer[0], height=outer[1])
            inner = json.loads(self.evaluate("[innerWidth, innerHeight]"))
            if inner == [width, height]:
                return
            outer = (outer[0] + width - inner[0], outer[1] + height - inner[1])

    def screenshot(self, path: Path, *, full: bool = False) -> Path:
        if full:
            width, height = json.loads(self.evaluate("[innerWidth, document.documentElement.scrollHeight]"))
            self.view(width, height)
        path.write_bytes(base64.b64decode(self._send("GET", "screenshot")))
        return path

    def close(self) -> None:
        if self._process.poll() is None:
            with contextlib.suppress(BrowserError):
                self._send("DELETE", "")
        _end(self._process)
        self._client.close()


def _guarded(words: list[str], **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["sh", "-c", GUARD, "sh", *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True, **options,
    )  # fmt: skip


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a process with its children."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

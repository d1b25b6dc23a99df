"""Headless Chromium on a leash of pipes, and real servers for it to visit.

Chromium speaks its DevTools protocol over two file descriptors as JSON messages that end
in a zero byte, so that no WebSocket library and no driver program is needed:
https://chromedevtools.github.io/devtools-protocol/
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import pytest
import uvicorn

from serverless.app import create_app

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")

INSECURE = "plain.test"
"""A name of this machine that the browser takes for another one, to which no https leads."""

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
    "--use-fake-device-for-media-stream", "--remote-debugging-pipe",
    f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

# The browser reads commands from 3 and writes to 4; the pipe's own numbers may be those two.
LEASH = """
import fcntl, os, sys
read, write = (fcntl.fcntl(int(number), fcntl.F_DUPFD, 10) for number in sys.argv[1:3])
os.dup2(read, 3), os.dup2(write, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""

PATIENCE_SECONDS = 20

KEYS = {
    "Tab": ("Tab", 9, ""),
    "Enter": ("Enter", 13, "\r"),
    "Space": (" ", 32, " "),
    "Escape": ("Escape", 27, ""),
}


class Chromium:
    """A running browser."""

    def __init__(self, program: str, profile: str) -> None:
        read, self._commands = os.pipe()
        self._answers, write = os.pipe()
        words = [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", LEASH, str(read), str(write), *words],
            pass_fds=(read, write),
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        os.close(write)
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Queue[dict[str, Any]]] = {}
        self.listeners: dict[str, Callable[[str, dict[str, Any]], None]] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        answer = self._waiting[number] = Queue()
        message = {"id": number, "method": method, "params": parameters}
        content = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while content:
            content = content[os.write(self._commands, content) :]
        try:
            found = answer.get(timeout=PATIENCE_SECONDS)
        except Empty:
            raise AssertionError(f"Chromium did not answer {method}") from None
        assert "error" not in found, (method, found)
        return dict(found["result"])

    def _listen(self) -> None:
        buffer = b""
        while chunk := os.read(self._answers, 1 << 20):
            *messages, buffer = (buffer + chunk).split(b"\0")
            for message in map(json.loads, messages):
                if "id" in message:
                    self._waiting.pop(message["id"]).put(message)
                elif message.get("sessionId") in self.listeners:
                    self.listeners[message["sessionId"]](message["method"], message["params"])

    def close(self) -> None:
        # Its renderers too.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._commands)


class Page:
    """A tab with storage and permissions of its own.

    Attributes:
        requests: URL of everything that it asked for.
        complaints: What the browser logged as an error, such as a breach of the policy.
    """

    def __init__(self, browser: Chromium, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self._browser = browser
        self.context = browser.send("Target.createBrowserContext")["browserContextId"]
        target = browser.send("Target.createTarget", url="about:blank", browserContextId=self.context)
        attached = browser.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = attached["sessionId"]
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._files: Queue[int] = Queue()
        self._loaded = threading.Event()
        browser.listeners[self._session] = self._hear
        for domain in ("Page", "Runtime", "Network", "Log", "DOM"):
            self.send(f"{domain}.enable")
        self.send("Page.setInterceptFileChooserDialog", enabled=True)
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._browser.send(method, self._session, **parameters)

    def open(self, url: str) -> None:
        self._loaded.clear()
        self.send("Page.navigate", url=url)
        assert self._loaded.wait(PATIENCE_SECONDS), f"{url} did not load"

    def value(self, expression: str) -> Any:
        """What an expression gives, awaited."""
        found = self.send(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def until(self, expression: str) -> Any:
        """The expression's value once it is true."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not (
            found := self.value(f"Promise.resolve({expression}).then((it) => it instanceof Node || it)")
        ):
            assert time.monotonic() < end, (expression, self.value("document.body.innerText"))
            time.sleep(0.02)
        return found

    def text(self, selector: str) -> str:
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''"))

    def key(self, name: str, modifiers: int = 0) -> None:
        """Presses a key: 2 is Ctrl, 8 is Shift."""
        key, code, text = KEYS[name]
        common = {"key": key, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def tab_to(self, selector: str, *, back: bool = False) -> None:
        """Walks with the Tab key."""
        here = f"document.activeElement?.matches({json.dumps(selector)})"
        for _ in range(40):
            if self.value(here):
                return
            self.key("Tab", 8 if back else 0)
        raise AssertionError(f"Tab does not reach {selector}")

    def click(self, selector: str) -> None:
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def choose(self, files: Sequence[Path]) -> None:
        """Answers the file dialog that is open."""
        node = self._files.get(timeout=PATIENCE_SECONDS)
        self.send("DOM.setFileInputFiles", files=[str(file) for file in files], backendNodeId=node)

    def give(self, *files: Path) -> None:
        """Chooses files as a click does."""
        self.click("#files")
        self.choose(files)

    def permit(self, name: str, setting: str) -> None:
        self._browser.send(
            "Browser.setPermission", permission={"name": name}, setting=setting, browserContextId=self.context
        )

    def screenshot(self, file: Path) -> None:
        found = self.send("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(found["data"]))

    def close(self) -> None:
        del self._browser.listeners[self._session]
        self._browser.send("Target.disposeBrowserContext", browserContextId=self.context)

    def _hear(self, method: str, parameters: dict[str, Any]) -> None:
        if method == "Page.loadEventFired":
            self._loaded.set()
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(parameters["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Page.fileChooserOpened":
            self._files.put(parameters["backendNodeId"])


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None or sys.platform == "win32":
        pytest.skip("needs chromium, which is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Chromium(found, profile)
        yield browser
        browser.close()


@pytest.fixture
def tab(chromium: Chromium) -> Iterator[Callable[..., Page]]:
    """Opens tabs: ``tab(url, width=390, dark=True)``."""
    opened: list[Page] = []

    def open_tab(url: str, **options: Any) -> Page:
        page = Page(chromium, **options)
        opened.append(page)
        page.open(url)
        return page

    yield open_tab
    for page in opened:
        page.close()


@pytest.fixture(scope="package")
def serve() -> Iterator[Callable[[Any], str]]:
    """Puts an app behind a real port; gives its URL."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any) -> str:
        server = uvicorn.Server(
            uvicorn.Config(app, port=0, log_level="error", timeout_graceful_shutdown=1, lifespan="off")
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        running.append((server, thread))
        end = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < end
            time.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="package")
def url(serve: Callable[[Any], str], digits_bundle: Path) -> str:
    return serve(create_app(digits_bundle, artifact="tflite-fp32"))


@pytest.fixture(scope="session")
def pictures(digits_bundle: Path) -> list[Path]:
    return sorted((digits_bundle / "golden").glob("*.png"))


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    file = tmp_path / "notes.txt"
    file.write_text("I am a text")
    return file

"""Chromium and Firefox, driven by puppeteer-core in one node process."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from benchmarks.browsers.protocol import PATIENCE_SECONDS, BrowserError, MissingError, Name, Tab

DRIVER = Path(__file__).with_name("driver.mjs")
ENTRY = "puppeteer-core/lib/esm/puppeteer/puppeteer-core.js"

PROGRAMS: dict[Name, tuple[str, ...]] = {
    "chromium": ("chromium", "chromium-browser", "google-chrome", "chrome"),
    "firefox": ("firefox-esr", "firefox"),
}

INSECURE = "phone.test"
"""A name of this machine that is no secure context, as a page of a local network is."""

CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--mute-audio",
    f"--host-resolver-rules=MAP {INSECURE} 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)  # fmt: skip

FIREFOX_PREFS: dict[str, Any] = {
    "network.dns.localDomains": INSECURE,
    "network.proxy.type": 0,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "dom.serviceWorkers.testing.enabled": False,
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
}

COMMAND_SECONDS = 120.0
"""More than any command's own limit: silence means that the driver is gone."""

CLOSE_SECONDS = 30.0
"""Until all browsers have ended and their profiles are deleted."""


class Driver:
    """The node process; it ends with this one, and its browsers with it."""

    def __init__(self, packages: Path) -> None:
        """Starts it.

        Args:
            packages: A ``node_modules`` with puppeteer-core.

        Raises:
            MissingError: node or puppeteer-core is not there.
        """
        node = shutil.which("node")
        if node is None:
            raise MissingError("node is not installed")
        if not (packages / ENTRY).is_file():
            raise MissingError(f"puppeteer-core is not in {packages}")
        self._process = subprocess.Popen(
            [node, str(DRIVER), str(packages / ENTRY)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            start_new_session=True,
        )  # fmt: skip
        self._numbers = itertools.count(1)
        self._waiting: dict[int, Queue[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self.listeners: dict[int, Callable[[dict[str, Any]], None]] = {}
        self._early: dict[int, list[dict[str, Any]]] = {}
        threading.Thread(target=self._listen, daemon=True).start()

    def send(self, command: str, **parameters: Any) -> Any:
        """Runs a command of ``driver.mjs`` and returns its value.

        Raises:
            BrowserError: It failed, or nothing came.
        """
        number = next(self._numbers)
        answer = self._waiting[number] = Queue()
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps({"id": number, "command": command, **parameters}) + "\n")
            self._process.stdin.flush()
        try:
            found = answer.get(timeout=COMMAND_SECONDS)
        except Empty:
            raise BrowserError(f"no answer to {command} in {COMMAND_SECONDS:.0f} s") from None
        if "error" in found:
            raise BrowserError(f"{command}: {found['error']}")
        return found["value"]

    def listen(self, page: int, listener: Callable[[dict[str, Any]], None]) -> None:
        """Calls a function with every event of a page, those that came already too."""
        self.listeners[page] = listener
        for event in self._early.pop(page, []):
            listener(event)

    def close(self) -> None:
        """Ends the process and its browsers."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            message = json.loads(line)
            if "id" in message:
                self._waiting.pop(message["id"]).put(message)
            elif message["page"] in self.listeners:
                self.listeners[message["page"]](message)
            else:
                self._early.setdefault(message["page"], []).append(message)
        for waiting in list(self._waiting.values()):
            waiting.put({"error": "the driver ended"})


class PuppeteerBrowser:
    """Chromium or Firefox."""

    def __init__(
        self,
        driver: Driver,
        name: Name,
        *,
        profile: Path | None = None,
        flags: Sequence[str] = (),
        prefs: dict[str, Any] | None = None,
        dark: bool = False,
    ) -> None:
        """Starts it.

        Args:
            driver: The node process.
            name: ``chromium`` or ``firefox``.
            profile: A folder whose storage outlives the browser; None for one that is thrown away.
            flags: More of Chromium's flags, e.g. of :func:`camera_flags`.
            prefs: More of Firefox's preferences, e.g. ``privacy.resistFingerprinting``.
            dark: Whether Firefox's user prefers dark pages; Chromium has it by tab.

        Raises:
            MissingError: The browser is not installed.
        """
        program = next((path for each in PROGRAMS[name] if (path := shutil.which(each))), None)
        if program is None:
            raise MissingError(f"{name} is not installed")
        self.name = name
        self._driver = driver
        if profile is not None:
            profile.mkdir(parents=True, exist_ok=True)
        chromium = name == "chromium"
        scheme = {"layout.css.prefers-color-scheme.content-override": 0 if dark else 1}
        self._number = driver.send(
            "launch",
            browser="chrome" if chromium else "firefox",
            executable=program,
            args=[*CHROMIUM_FLAGS, *flags] if chromium else [],
            prefs={} if chromium else {**FIREFOX_PREFS, **scheme, **(prefs or {})},
            profile=str(profile) if profile else None,
        )

    def page(self, *, width: int = 1280, height: int = 900, dark: bool = False, shared: bool = False) -> Tab:
        """See :class:`benchmarks.browsers.protocol.Browser`."""
        number = self._driver.send(
            "page",
            browser=self._number,
            shared=shared,
            width=width,
            height=height,
            dark=dark,
            scale=1,
        )
        return Tab(_PuppeteerPage(self._driver, number))

    def close(self) -> None:
        """Ends it."""
        self._driver.send("close", browser=self._number)


class _PuppeteerPage:
    def __init__(self, driver: Driver, number: int) -> None:
        self._driver = driver
        self._number = number
        self.requests: list[str] = []
        self.complaints: list[str] = []
        driver.listen(number, self._hear)

    def _hear(self, event: dict[str, Any]) -> None:
        if "request" in event:
            self.requests.append(event["request"])
        else:
            self.complaints.append(event["complaint"])

    def _send(self, command: str, **parameters: Any) -> Any:
        return self._driver.send(command, page=self._number, **parameters)

    def open(self, url: str) -> None:
        self._send("open", url=url, seconds=PATIENCE_SECONDS)

    def reload(self) -> None:
        self._send("reload", seconds=PATIENCE_SECONDS)

    def evaluate(self, expression: str) -> str:
        return str(self._send("value", expression=expression))

    def click(self, selector: str) -> None:
        self._send("click", selector=selector)

    def key(self, name: str, *, shift: bool = False) -> None:
        self._send("key", name=name, shift=shift)

    def choose(self, selector: str, *files: Path) -> None:
        self._send("choose", selector=selector, files=[str(file.resolve()) for file in files])

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        self._send("view", width=width, height=height, dark=dark, scale=1)

    def screenshot(self, path: Path, *, full: bool = False) -> Path:
        self._send("screenshot", path=str(path), full=full)
        return path

    def devtools(self, method: str, **parameters: Any) -> Any:
        return self._send("devtools", method=method, parameters=parameters)

    def close(self) -> None:
        self._send("closePage")


def camera_flags(film: Path) -> tuple[str, ...]:
    """Chromium's flags for a camera that films a picture, and that is permitted.

    Args:
        film: Of :func:`benchmarks.browsers.film.film_of`.
    """
    return (
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-video-capture={film}",
    )


def packages_folder() -> Path:
    """Where ``make acceptance`` puts puppeteer-core and the phone app's parts."""
    return Path(sys.prefix) / "acceptance" / "phone" / "node_modules"

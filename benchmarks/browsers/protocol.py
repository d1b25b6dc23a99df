"""What a test asks of a browser, whichever it is."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Name = Literal["chromium", "firefox", "webkit"]

PATIENCE_SECONDS = 90.0
"""How long a page may take. Machines that test are busy; a good answer comes at once."""

_POLL_SECONDS = 0.05
_CLICK_SECONDS = 10.0


class BrowserError(AssertionError):
    """A browser did not do what it was told: a page that throws, a selector that matches nothing, silence."""


class MissingError(Exception):
    """A browser, or what drives it, is not installed; the message names it."""


class Page(Protocol):
    """A tab.

    Attributes:
        requests: The URL of everything that the document asked for, where the browser tells (not WebKit).
        complaints: Errors on the console and exceptions that nobody caught, where the browser tells.
    """

    requests: list[str]
    complaints: list[str]

    def open(self, url: str) -> None:
        """Loads a page and waits for its ``load`` event."""

    def reload(self) -> None:
        """Loads it again."""

    def evaluate(self, expression: str) -> str:
        """Awaits an expression and gives its value as JSON."""

    def click(self, selector: str) -> None:
        """Clicks as a user does: the element must be visible."""

    def key(self, name: str, *, shift: bool = False) -> None:
        """Presses and releases a key, e.g. ``Tab``, ``Enter``, ``ArrowDown``, ``a``."""

    def choose(self, selector: str, *files: Path) -> None:
        """Puts files into an ``<input type=file>``."""

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """Sets the size of the viewport in CSS pixels, and the colour scheme (the scheme in Chromium only)."""

    def screenshot(self, path: Path, *, full: bool = False) -> Path:
        """Writes a PNG of the viewport, or of the full page."""

    def close(self) -> None:
        """Closes the tab, and forgets its storage if that is its own."""


class Browser(Protocol):
    """A running browser.

    Attributes:
        name: Which engine.
    """

    name: Name

    def page(self, *, width: int = 1280, height: int = 900, dark: bool = False, shared: bool = False) -> Tab:
        """Opens a tab.

        Args:
            width: Of the viewport, in CSS pixels.
            height: Of the viewport.
            dark: Whether the user prefers dark pages.
            shared: Whether its storage is that of the browser's profile; else it has storage of its own.
        """

    def close(self) -> None:
        """Ends the browser; a profile that was given stays."""


class Tab:
    """A page with what follows from it: the same in every browser."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @property
    def requests(self) -> list[str]:
        """The URL of everything that the document asked for, where the browser tells (not WebKit)."""
        return self._page.requests

    @property
    def complaints(self) -> list[str]:
        """Errors on the console and exceptions that nobody caught, where the browser tells (not WebKit)."""
        return self._page.complaints

    def open(self, url: str) -> None:
        """Loads a page and waits for its ``load`` event."""
        self._page.open(url)

    def reload(self) -> None:
        """Loads it again."""
        self._page.reload()

    def value(self, expression: str) -> Any:
        """What an expression gives, awaited; as JSON carries it: ``undefined`` is None, a function is True.

        Raises:
            BrowserError: It throws.
        """
        return json.loads(self._page.evaluate(expression))

    def call(self, function: str, *arguments: Any) -> Any:
        """What a function of the page gives for these arguments, awaited.

        Args:
            function: Its source, e.g. ``(a, b) => a + b``.
            *arguments: Anything that JSON carries.
        """
        return self.value(f"({function})({', '.join(json.dumps(one) for one in arguments)})")

    def until(self, expression: str, seconds: float = PATIENCE_SECONDS) -> Any:
        """Waits until an expression is truthy, and returns its value; the page may load again meanwhile.

        Raises:
            BrowserError: It did not become so.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                found = self.value(f"(async (value) => [!!value, value])(await ({expression}))")
            except BrowserError:
                # A page that loads again throws away what it was asked.
                if time.monotonic() > end:
                    raise
                found = [False]
            if found[0]:
                return found[1]
            if time.monotonic() > end:
                text = self.value("document.body?.innerText ?? ''")
                raise BrowserError(
                    f"waited {seconds:.0f} s for {expression}\n{text[:2000]}\n" + "\n".join(self.complaints)
                )
            time.sleep(_POLL_SECONDS)

    def text(self, selector: str) -> str:
        """The visible text of an element."""
        return str(self.call("(selector) => document.querySelector(selector).innerText", selector))

    def click(self, selector: str) -> None:
        """Clicks as a user does: waits a moment until the element is there and visible."""
        end = time.monotonic() + _CLICK_SECONDS
        while True:
            try:
                self._page.click(selector)
                return
            except BrowserError:
                if time.monotonic() > end:
                    raise
            time.sleep(_POLL_SECONDS)

    def key(self, name: str, *, shift: bool = False) -> None:
        """Presses and releases a key, e.g. ``Tab``, ``Enter``, ``ArrowDown``, ``a``."""
        self._page.key(name, shift=shift)

    def choose(self, selector: str, *files: Path) -> None:
        """Puts files into an ``<input type=file>``."""
        self._page.choose(selector, *files)

    def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """Sets the size of the viewport in CSS pixels, and the colour scheme (the scheme in Chromium only)."""
        self._page.view(width, height, dark=dark)

    def screenshot(self, path: Path, *, full: bool = False) -> Path:
        """Writes a PNG of the viewport, or of the full page."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return self._page.screenshot(path, full=full)

    def violations(self) -> list[str]:
        """What the page's Content Security Policy has blocked since it was loaded.

        WebKit has no script that runs before the page's own, so it tells of what is blocked after ``open``.
        """
        return list(self.value("globalThis.driverViolations"))

    def foreign(self, *origins: str) -> list[str]:
        """Requests that went elsewhere than to these origins or into the page's own memory."""
        own = (*origins, "blob:", "data:", "about:")
        loaded = self.value("performance.getEntriesByType('resource').map((entry) => entry.name)")
        return [url for url in [*self.requests, *loaded] if not url.startswith(own)]

    def devtools(self, method: str, **parameters: Any) -> Any:
        """A command of Chromium's DevTools protocol, e.g. ``Page.getInstallabilityErrors``."""
        return self._page.devtools(method, **parameters)  # type: ignore[attr-defined]

    def close(self) -> None:
        """Closes the tab, and forgets its storage if that is its own."""
        self._page.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

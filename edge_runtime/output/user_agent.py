"""A browser's user agent as a person says it: ``Android 14, Chrome 156``."""

from __future__ import annotations

import re

from edge_runtime.common.text import shortened

_BROWSERS = (
    # In this order: most browsers also claim to be Safari, and many to be Chrome.
    ("Edge", r"\bEdg[A-Za-z]*/(\d+)"),
    ("Opera", r"\bOPR/(\d+)"),
    ("Samsung Internet", r"\bSamsungBrowser/(\d+)"),
    ("Firefox", r"\b(?:Firefox|FxiOS)/(\d+)"),
    ("WebView", r"; wv\).*\bChrome/(\d+)"),
    ("Chrome", r"\b(?:HeadlessChrome|Chrome|CriOS)/(\d+)"),
    ("Safari", r"\bVersion/(\d+)[\d.]* (?:Mobile/\w+ )?Safari/"),
)

_SYSTEMS = (
    ("iPhone, iOS", r"\(iPhone;.*? OS (\d+)"),
    ("iPad, iPadOS", r"\(iPad;.*? OS (\d+)"),
    ("Android", r"\bAndroid (\d+)"),
    ("Android", r"\(Android"),
    ("Windows", r"\(Windows "),
    ("macOS", r"\(Macintosh;"),
    ("ChromeOS", r"\bCrOS\b"),
    ("Linux", r"\bLinux\b"),
)


def described(user_agent: str) -> str:
    """Names the system and the browser.

    Args:
        user_agent: As the browser sends it; any text.

    Returns:
        One line; the text itself, shortened, where no browser is known in it.
    """
    text = user_agent[:1000]
    browser = _first(_BROWSERS, text)
    system = _first(_SYSTEMS, text)
    # Chrome tells every Android to be version 10 on a phone named K.
    system = "Android" if "Android 10; K)" in text else system
    return f"{system or 'unknown system'}, {browser}" if browser else shortened(user_agent, 60)


def _first(patterns: tuple[tuple[str, str], ...], text: str) -> str:
    for name, pattern in patterns:
        found = re.search(pattern, text)
        if found:
            return f"{name} {found[1]}" if found.groups() else name
    return ""

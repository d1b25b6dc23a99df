"""A user agent as a person says it."""

from __future__ import annotations

import pytest

from edge_runtime.output.user_agent import described

_KHTML = "AppleWebKit/537.36 (KHTML, like Gecko)"
_END = "Mobile Safari/537.36"


@pytest.mark.parametrize(
    ("user_agent", "shown"),
    [
        (f"Mozilla/5.0 (Linux; Android 10; K) {_KHTML} Chrome/156.0.0.0 {_END}", "Android, Chrome 156"),
        (
            f"Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/X; wv) {_KHTML} Chrome/155.0.1 {_END}",
            "Android 14, WebView 155",
        ),
        (
            f"Mozilla/5.0 (Linux; Android 13; SM-S901B) {_KHTML} SamsungBrowser/28.0 Chrome/130.0.0.0 {_END}",
            "Android 13, Samsung Internet 28",
        ),
        ("Mozilla/5.0 (Android 15; Mobile; rv:153.0) Gecko/153.0 Firefox/153.0", "Android 15, Firefox 153"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "Version/18.5 Mobile/15E148 Safari/604.1",
            "iPhone, iOS 18, Safari 18",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
            "CriOS/150.0 Mobile/15E148 Safari/604.1",
            "iPhone, iOS 18, Chrome 150",
        ),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64) {_KHTML} Chrome/150.0 Safari/537.36 Edg/150.0", "Windows, Edge 150"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {_KHTML} HeadlessChrome/156.0.0.0 Safari/537.36", "Linux, Chrome 156"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "Linux, Firefox 153"),
        ("my own\x1b[31m client", "my own\\x1b[31m client"),
        ("", ""),
    ],
)  # fmt: skip
def test_system_and_browser(user_agent: str, shown: str) -> None:
    assert described(user_agent) == shown


def test_long_text_is_cut_and_costs_no_time() -> None:
    assert len(described("(iPhone;" * 200_000)) <= 60

"""The page against labels that attack it, and what its policy and layout make of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from serverless.app import create_app

Tab = Callable[..., Any]

DONE = "document.querySelector('#answer .scores')"

HOSTILE = ("<img src=x onerror=alert(1)>", "</script><script>alert(2)</script>", "&lt;b&gt; \u202e\"'` ${1}")


@pytest.fixture
def hostile_bundle(own_digits_bundle: Path) -> Path:
    """Labels and a name as an attacker would choose them."""
    manifest = own_digits_bundle / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["labels"][: len(HOSTILE)] = HOSTILE
    content["golden"] = None
    manifest.write_text(json.dumps(content), encoding="utf-8")
    (own_digits_bundle / "labels.txt").write_text("\n".join(content["labels"]) + "\n", encoding="utf-8")
    return own_digits_bundle


def test_a_label_that_is_html_stays_text(
    tab: Tab, serve: Callable[[Any], str], hostile_bundle: Path, pictures: list[Path]
) -> None:
    page = tab(serve(create_app(hostile_bundle, artifact="tflite-fp32")))
    page.value("window.alert = (words) => { window.alerted = words; }")
    page.give(*pictures[:3])
    page.until("document.querySelectorAll('#shots .done').length === 3")
    page.click("#known summary")
    page.until("document.querySelectorAll('#labels li').length === 10")
    labels = page.value("[...document.querySelectorAll('#shots b')].map((one) => one.textContent)")
    assert labels == list(reversed(HOSTILE))
    assert page.value(
        "[...document.querySelectorAll('#labels li')].slice(0, 3).map((one) => one.textContent)"
    ) == [*HOSTILE]
    assert page.value("document.querySelectorAll('img[src=x], script').length") == 1
    assert page.value("window.alerted ?? null") is None
    assert page.complaints == []


def test_the_page_asks_nobody_else_and_keeps_its_policy(
    tab: Tab, url: str, pictures: list[Path], text_file: Path
) -> None:
    page = tab(url)
    page.give(*pictures)
    page.until(f"document.querySelectorAll('#shots .done').length === {len(pictures)}")
    page.click("#known summary")
    page.until("document.querySelectorAll('#labels li').length === 10")
    assert page.complaints == []
    assert any(one.endswith("/classify?top_k=5") for one in page.requests)
    assert [one for one in page.requests if not one.startswith((url, f"blob:{url}", "data:"))] == []


def test_the_policy_stops_what_is_injected(tab: Tab, url: str) -> None:
    page = tab(url)
    tries = """(() => { const found = {};
        const script = document.createElement('script');
        try { script.text = 'window.ran = 1'; document.head.append(script); } catch (error) { found.script = 1; }
        try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); } catch (error) { found.html = 1; }
        return fetch('http://127.0.0.1:1/').catch(() => { found.fetch = 1; })
            .then(() => ({...found, ran: window.ran ?? 0})); })()"""
    assert page.value(tries) == {"script": 1, "html": 1, "fetch": 1, "ran": 0}
    assert any("Content Security Policy" in one for one in page.complaints)
    headers = httpx.get(url).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(
    tab: Tab, serve: Callable[[Any], str], hostile_bundle: Path, pictures: list[Path], text_file: Path,
    tmp_path: Path, width: int, dark: bool,
) -> None:  # fmt: skip
    manifest = hostile_bundle / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["name"] = "n" * 90
    content["labels"][0] = "Pneumonoultramicroscopicsilicovolcanoconiosis" * 3
    manifest.write_text(json.dumps(content), encoding="utf-8")
    (hostile_bundle / "labels.txt").write_text("\n".join(content["labels"]) + "\n", encoding="utf-8")
    page = tab(serve(create_app(hostile_bundle, artifact="tflite-fp32")), width=width, dark=dark)
    long_name = tmp_path / f"{'photo' * 40}.png"
    long_name.write_bytes(pictures[0].read_bytes())
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.value(fits)
    page.give(long_name)
    page.until(DONE)
    assert page.value(fits)
    page.give(text_file)
    page.until("document.querySelector('.problem')")
    page.click("#known summary")
    page.until("document.querySelectorAll('#labels li').length === 10")
    assert page.value(fits)
    # Large enough for a finger.
    small = "[...document.querySelectorAll('button, .button, select')].filter((one) => one.checkVisibility()"
    assert page.value(f"{small} && one.getBoundingClientRect().height < 44).length") == 0
    # Text on its ground: 4.5 to 1, as WCAG 2.1 asks (1.4.3).
    assert page.value(CONTRASTS) == []


CONTRASTS = """(() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => { const [r, g, b] = channels(color).slice(0, 3).map((value) => {
    value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = (node) => { for (; node; node = node.parentElement) {
    const color = getComputedStyle(node).backgroundColor;
    if ((channels(color)[3] ?? 1) > 0.99) return color; } return 'rgb(255, 255, 255)'; };
  return [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility() && [...node.childNodes]
    .some((child) => child.nodeType === 3 && child.data.trim())).filter((node) => {
      const [a, b] = [light(getComputedStyle(node).color), light(ground(node))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5; }).map((node) => node.outerHTML.slice(0, 80));
})()"""

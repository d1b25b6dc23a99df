"""The page's camera: Chromium's fake one, one that is refused, and none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Tab = Callable[..., Any]

BRIGHTEST = """(async (image) => {
    await image.decode();
    const canvas = document.createElement('canvas'); canvas.width = canvas.height = 8;
    const pen = canvas.getContext('2d'); pen.drawImage(image, 0, 0, 8, 8);
    return Math.max(...[...pen.getImageData(0, 0, 8, 8).data].filter((_, at) => at %% 4 !== 3)); })(%s)"""

OPEN = "!document.getElementById('capture').disabled && document.getElementById('video').videoWidth"


def test_a_captured_picture_is_classified(tab: Tab, url: str) -> None:
    page = tab(url)
    page.permit("camera", "granted")
    # Clicks at the first moment at which the page allows it.
    page.value("""const button = document.getElementById('capture');
        new MutationObserver((_, observer) => {
            if (button.disabled) return;
            observer.disconnect();
            button.click();
        }).observe(button, { attributes: true })""")
    page.click("#camera-open")
    width = page.until(OPEN)
    assert page.value("document.activeElement.id") == "capture"
    page.until("document.querySelectorAll('#shots .done').length === 1")
    image = "document.querySelector('#answer img')"
    assert page.until(f"{image}.naturalWidth") == width
    # A picture, not the black of a video that has not started.
    assert page.value(BRIGHTEST % image) > 60
    page.key("Enter")
    page.until("document.querySelectorAll('#shots .done').length === 2")
    tracks = "document.getElementById('video').srcObject"
    assert page.value(f"{tracks}.active")
    page.value(f"window.was = {tracks}, 0")
    page.key("Escape")
    assert page.value("document.getElementById('camera').hidden")
    assert page.value("window.was.active") is False
    assert page.value("document.activeElement.id") == "camera-open"
    assert page.complaints == []


def test_a_refused_camera_is_explained(tab: Tab, url: str) -> None:
    page = tab(url)
    page.permit("camera", "denied")
    page.click("#camera-open")
    assert "not allowed" in page.until("document.getElementById('camera-said').textContent")
    assert page.value("document.getElementById('camera').hidden")


def test_a_page_without_https_has_no_camera_and_says_why(tab: Tab, url: str) -> None:
    page = tab(url.replace("127.0.0.1", "plain.test"))
    assert page.value("navigator.mediaDevices === undefined")
    page.click("#camera-open")
    assert "https" in page.until("document.getElementById('camera-said').textContent")

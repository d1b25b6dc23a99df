"""The page of ``GET /`` in headless Chromium, against a real server on a real bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import Classifier
from serverless.app import create_app
from serverless.app.core.keys import new_key

Tab = Callable[..., Any]

DONE = "document.querySelector('#answer .scores')"


def test_a_chosen_picture_shows_the_scores_of_the_classifier(
    tab: Tab, url: str, pictures: list[Path], digits_bundle: Path
) -> None:
    page = tab(url)
    page.give(pictures[3])
    page.until(DONE)
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier:
        expected = classifier.classify(pictures[3])
    rows = page.value(
        "[...document.querySelectorAll('.scores li')].map((row) => [row.querySelector('.label').innerText,"
        " Number(row.querySelector('.fill').style.getPropertyValue('--score')),"
        " row.querySelector('.fill').getBoundingClientRect().width"
        " / row.querySelector('.track').getBoundingClientRect().width])"
    )
    assert [row[0] for row in rows] == [entry.label for entry in expected.predictions]
    for (_, score, width), entry in zip(rows, expected.predictions, strict=True):
        assert score == pytest.approx(entry.score, abs=1e-6)
        # The border of the track is no part of the bar; it grows for a moment.
        assert width <= entry.score + 0.01
    assert page.text(".best").split("\n") == [
        expected.top.label,
        f"{expected.top.score:.1%}".replace("%", " %"),
    ]
    told = dict(zip(*[iter(page.text(".times").split("\n"))] * 2, strict=True))
    assert set(told) == {"Upload and read", "Classify", "Round trip"}
    assert all(re.fullmatch(r"[\d.]+ m?s", value) for value in told.values())
    # For who does not see it.
    assert expected.top.label in page.until("document.querySelector('[role=status][aria-live]').textContent")
    page.until("document.getElementById('name').textContent === 'digits'")
    assert "tflite-fp32" in page.text("#facts")


def test_every_picture_of_the_session_is_kept_and_shown_again(
    tab: Tab, url: str, pictures: list[Path]
) -> None:
    page = tab(url)
    page.give(*pictures[:3])
    page.until("document.querySelectorAll('#shots .done').length === 3")
    assert page.text(".best").startswith("2")
    # Newest first.
    assert page.value("[...document.querySelectorAll('#shots b')].map((one) => one.innerText)") == [
        "2",
        "1",
        "0",
    ]
    page.click("#shots li:last-child button")
    assert page.text(".best").startswith("0")
    assert page.value("document.querySelector('#shots [aria-current=true] b').innerText") == "0"
    assert page.until("[...document.querySelectorAll('#shots img')].every((one) => one.naturalWidth === 8)")
    page.click("#clear")
    assert not page.value("document.querySelectorAll('#shots li').length")


def test_the_keyboard_is_enough(tab: Tab, url: str, pictures: list[Path]) -> None:
    page = tab(url)
    page.tab_to("#files")
    outline = "getComputedStyle(document.querySelector('.button:focus-within')).outlineStyle"
    assert page.value(outline) == "solid"
    page.key("Enter")
    page.choose(pictures[:2])
    page.until("document.querySelectorAll('#shots .done').length === 2")
    page.tab_to("#shots li:last-child button")
    assert page.value("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.key("Enter")
    assert page.text(".best").startswith("0")
    assert page.value("document.activeElement.matches('#shots li:last-child button')")
    page.tab_to("#clear", back=True)
    page.key("Space")
    assert page.value("document.getElementById('history').hidden")
    # The focus is not lost with the button that had it.
    assert page.value("document.activeElement.id") == "files"


def test_dropped_and_pasted_pictures(tab: Tab, url: str, pictures: list[Path]) -> None:
    page = tab(url)
    drag = {"items": [], "files": [str(pictures[4])], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.send("Input.dispatchDragEvent", type=kind, x=200, y=200, data=drag)
    page.until(DONE)
    assert page.text(".best").startswith("4")
    content = list(pictures[5].read_bytes())
    paste = (
        "(() => {{ const data = new DataTransfer(); {fill};"
        " document.dispatchEvent(new ClipboardEvent('paste', {{clipboardData: data}})); }})()"
    )
    page.value(
        paste.format(
            fill=f"data.items.add(new File([new Uint8Array({content})], 'p.png', {{type: 'image/png'}}))"
        )
    )
    page.until("document.querySelectorAll('#shots .done').length === 2")
    assert page.text(".best").startswith("5")
    page.value(paste.format(fill="data.setData('text/plain', 'https://example.org/cat.jpg')"))
    assert "no picture" in page.text("#camera-said")
    assert page.value("document.querySelectorAll('#shots li').length") == 2


def test_a_text_file_shows_its_problem(tab: Tab, url: str, text_file: Path, pictures: list[Path]) -> None:
    page = tab(url)
    page.give(text_file)
    told = page.until("document.querySelector('.problem')?.innerText")
    assert "415" in told
    assert "must be one of JPEG" in told
    assert "I am a text" in told
    assert re.search("Request id [0-9a-f]{32}", told)
    assert "notes.txt" in page.value("document.querySelector('[role=alert]').textContent")
    # And the page goes on.
    page.give(pictures[0])
    page.until(DONE)
    assert page.text("#shots .failed b") == "Error"


def test_a_server_that_is_gone_can_be_tried_again(tab: Tab, url: str, pictures: list[Path]) -> None:
    page = tab(url)
    page.send(
        "Network.emulateNetworkConditions",
        offline=True,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    page.give(pictures[0])
    assert "could not be reached" in page.until("document.querySelector('.problem')?.innerText")
    page.send(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    page.click(".problem button")
    page.until(DONE)


def test_a_picture_over_the_limit_can_be_sent_smaller(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, tmp_path: Path
) -> None:
    from PIL import Image

    Image.effect_noise((2400, 1800), 60).save(tmp_path / "large.png")
    page = tab(serve(create_app(digits_bundle, artifact="tflite-fp32", max_bytes=2_000_000)))
    page.give(tmp_path / "large.png")
    assert "2,000,000 bytes" in page.until("document.querySelector('.problem')?.innerText")
    page.click(".problem button")
    page.until(DONE)
    assert "A smaller copy was sent: 1600" in page.text("#answer")


def test_what_this_browser_cannot_read_is_not_offered_smaller(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "raw.heic").write_bytes(b"\x00\x00\x00\x18ftypheic" + bytes(3_000))
    page = tab(serve(create_app(digits_bundle, artifact="tflite-fp32", max_bytes=2_000)))
    page.give(tmp_path / "raw.heic")
    told = page.until("document.querySelector('.problem')?.innerText")
    assert "2,000 bytes" in told
    assert "cannot read the picture" in told
    assert page.value("document.querySelectorAll('.problem button').length") == 0


def test_a_copy_that_is_still_too_large_is_not_offered_again(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, tmp_path: Path
) -> None:
    from PIL import Image

    Image.effect_noise((300, 300), 60).save(tmp_path / "noise.png")
    page = tab(serve(create_app(digits_bundle, artifact="tflite-fp32", max_bytes=1_000)))
    page.give(tmp_path / "noise.png")
    page.until("document.querySelector('.problem button')")
    page.click(".problem button")
    page.until("document.querySelector('#answer').innerText.includes('A smaller copy was sent')")
    assert "1,000 bytes" in page.until("document.querySelector('.problem')?.innerText")
    assert page.value("document.querySelectorAll('.problem button').length") == 0


CHOICES = "[...document.getElementById('top-k').options].map((one) => one.value).join()"


@pytest.mark.parametrize(
    ("classes", "choices", "chosen"),
    [(2, "1,2", "2"), (4, "1,3,4", "4"), (10, "1,3,5,10", "5"), (1000, "1,3,5,10,100", "5")],
)
def test_no_more_classes_are_offered_than_there_are(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, classes: int, choices: str, chosen: str
) -> None:
    app = create_app(digits_bundle, artifact="tflite-fp32")

    async def other(scope: Any, receive: Any, send: Any) -> None:
        """The same endpoint, whose ``/info`` tells of another number of classes."""

        async def told(message: Any) -> None:
            if scope["path"] == "/info" and message["type"] == "http.response.body":
                message = {
                    **message,
                    "body": message["body"].replace(b'"classes":10,', b'"classes":%d,' % classes),
                }
            elif scope["path"] == "/info" and message["type"] == "http.response.start":
                kept = [pair for pair in message["headers"] if pair[0] != b"content-length"]
                message = {**message, "headers": kept}
            await send(message)

        await app(scope, receive, told)

    page = tab(serve(other))
    page.until(f"{CHOICES} === '{choices}'")
    assert page.value("document.getElementById('top-k').value") == chosen


def test_a_gateways_own_refusal_is_readable(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, pictures: list[Path]
) -> None:
    app = create_app(digits_bundle, artifact="tflite-fp32")

    async def gateway(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] != "/classify":
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 429, "headers": []})
        await send({"type": "http.response.body", "body": b'{"message": "Rate exceeded"}'})

    page = tab(serve(gateway))
    page.give(pictures[0])
    told = page.until("document.querySelector('.problem')?.innerText")
    assert "Rate exceeded" in told
    assert "429" in told


def test_an_api_key_is_asked_for_and_kept_in_the_tab_alone(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, pictures: list[Path]
) -> None:
    secret, entry = new_key("phone")
    page = tab(serve(create_app(digits_bundle, artifact="tflite-fp32", keys=entry)))
    # What the model is called is behind the key too.
    page.until("document.getElementById('facts').textContent.includes('API key')")
    assert page.text("#name") == "Image classifier"
    page.give(*pictures[:2])
    page.until("!document.getElementById('key').hidden")
    assert page.value("document.activeElement.id") == "key-text"
    page.send("Input.insertText", text="snapship_wrong")
    page.key("Enter")
    assert page.until(
        "document.getElementById('key-said').textContent.includes('not accept')"
        " && !document.getElementById('key').hidden"
    )
    page.send("Input.insertText", text=secret)
    page.key("Enter")
    page.until("document.querySelectorAll('#shots .done').length === 2")
    assert page.value("document.getElementById('key').hidden")
    page.until("document.getElementById('name').textContent === 'digits'")
    assert "tflite-fp32" in page.text("#facts")
    stored = "JSON.stringify([Object.values(sessionStorage), Object.values(localStorage), document.cookie])"
    assert json.loads(page.value(stored)) == [[secret], [], ""]
    assert not [one for one in page.requests if secret in one]
    page.click("#known summary")
    page.until("document.querySelectorAll('#labels li').length === 10")
    page.click("#key-forget")
    assert json.loads(page.value(stored))[0] == []


@pytest.mark.parametrize("path", ["/prod", "/prod/"])
def test_it_works_under_a_stage(
    tab: Tab, serve: Callable[[Any], str], digits_bundle: Path, pictures: list[Path], path: str
) -> None:
    app = create_app(digits_bundle, artifact="tflite-fp32")

    async def stage(scope: Any, receive: Any, send: Any) -> None:
        """As API Gateway: the stage is in the client's path, not in the app's; the rest is not there."""
        found = scope["path"].startswith("/prod")
        await app({**scope, "path": (scope["path"][5:] or "/") if found else "/outside"}, receive, send)

    base = serve(stage)
    page = tab(f"{base}{path}")
    page.give(pictures[1])
    page.until(DONE)
    page.until("document.getElementById('name').textContent === 'digits'")
    assert page.value("document.getElementById('openapi').href") == f"{base}/prod/openapi.json"
    assert not [one for one in page.requests if one.startswith(base) and "/prod" not in one]

"""From a request to encoded images."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from collections.abc import Callable

import httpx
import pytest

from edge_runtime.common.errors import SnapshipError, UsageError
from serverless.app import create_app
from serverless.app.core.http_problems import UnprocessableError
from serverless.app.core.request_reading import (
    ClassifyRequest,
    decode_base64,
    from_json,
    parse_threshold,
    parse_top_k,
)
from serverless.app.core.service import Service

Ask = Callable[..., httpx.Response]


def test_json_with_one_image() -> None:
    assert from_json(b'{"image": "YWJj", "top_k": 2}', 3) == ClassifyRequest((b"abc",), 2)


def test_json_with_several_images_keeps_a_bad_one_in_its_place() -> None:
    order = from_json(b'{"images": ["YWJj", "!", "ZGVm"]}', 3)
    assert order.several
    assert order.images[0] == b"abc"
    assert isinstance(order.images[1], SnapshipError)
    assert order.images[2] == b"def"


def test_json_list_of_one_is_answered_with_a_list() -> None:
    assert from_json(b'{"images": ["YWJj"]}', 3).several


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"image": 1}', r"got `int` - at `\$\.image`"),
        (b'{"img": "YWJj"}', "unknown field `img`"),
        (b'{"image": "YWJj", "top_k": 0}', r"\$\.top_k"),
        (b'{"image": "YWJj", "top_k": "3"}', r"\$\.top_k"),
        (b'{"image": "YWJj", "top_k": 1000000000}', r"\$\.top_k"),
        (b'{"image": "YWJj", "score_threshold": 1.01}', r"\$\.score_threshold"),
        (b'{"image": "YWJj", "score_threshold": -1}', r"\$\.score_threshold"),
        (b'{"image": "YWJj", "score_threshold": "0.5"}', r"\$\.score_threshold"),
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b"{}", "neither"),
        (b'{"image": "YWJj", "images": []}', "both"),
        (b'{"images": []}', "Received: 0"),
        (b'{"images": ["", "", "", ""]}', "Received: 4"),
        (b'{"image": "not base64!"}', "base64"),
        (b'{"image": "https://example.org/cat.jpg"}', "base64"),
        ('{"image": "ümlaut"}'.encode(), "base64"),
    ],
)
def test_json_that_breaks_a_rule_is_422(body: bytes, words: str) -> None:
    with pytest.raises(UnprocessableError, match=words) as caught:
        from_json(body, 3)
    assert caught.value.http_status == 422
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xd8\xff", b'{"image": "\xff"}', b"{} {}"])
def test_no_json_is_400(body: bytes) -> None:
    with pytest.raises(UsageError, match="must be valid JSON") as caught:
        from_json(body, 3)
    assert "\n" not in str(caught.value)
    assert caught.value.http_status == 400


def test_json_that_nests_deeply_is_refused() -> None:
    with pytest.raises(UsageError):
        from_json(b'{"images": ' + b"[" * 100_000, 3)


def test_base64_may_have_line_breaks_and_a_data_url() -> None:
    data = bytes(range(256))
    wrapped = base64.encodebytes(data).decode()
    assert wrapped.count("\n") > 2
    for text in (wrapped, f"data:image/png;base64,{wrapped}", f"DATA:;BASE64,{wrapped}"):
        assert decode_base64(text) == data


@pytest.mark.parametrize(
    "text", ["abcde", "data:image/svg+xml,<svg/>", "data:image/png;base64,%%%", "YWJj=YWJj"]
)
def test_bad_base64_is_refused(text: str) -> None:
    with pytest.raises(UnprocessableError, match="base64"):
        decode_base64(text)


def test_top_k_in_text() -> None:
    assert parse_top_k("7") == 7
    for text in ("", "0", "-1", "1.5", "two", "٣", "1e9", "9" * 5000, " 1"):
        with pytest.raises(UnprocessableError, match="top_k"):
            parse_top_k(text)


@pytest.mark.parametrize("kind", [None, "image/jpeg", "IMAGE/PNG; q=1", "application/octet-stream"])
def test_raw_bytes_of_these_types_are_an_image(ask: Ask, kind: str | None) -> None:
    response = ask("POST", "/classify", content=b"x", headers={"content-type": kind} if kind else {})
    assert response.status_code == 200
    assert response.json()["label"] == "dog"


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "video/mp4", "nonsense"])
def test_raw_bytes_of_another_type_are_415_with_the_cure(ask: Ask, kind: str) -> None:
    response = ask("POST", "/classify", content=b"x", headers={"content-type": kind})
    assert response.status_code == 415
    assert "-H 'Content-Type: image/jpeg'" in response.json()["detail"]


def test_multipart_with_one_file_is_one_answer(ask: Ask) -> None:
    answer = ask("POST", "/classify", files={"image": b"x"}, data={"top_k": "1"}).json()
    assert answer["label"] == "dog"
    assert len(answer["predictions"]) == 1


def test_multipart_with_several_files_is_a_list(ask: Ask) -> None:
    files = [("image", ("a.png", data)) for data in (b"x", b"bad", b"y")]
    results = ask("POST", "/classify", files=files).json()["results"]
    assert [sorted(result)[0] for result in results] == ["label", "error", "label"]
    assert results[1]["error"]["status"] == 400


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ({"files": [("i", ("a", b"x"))] * 4}, 400, "at most 3 files"),
        ({"files": {"top_k": (None, b"1")}}, 422, "top_k text fields"),
        ({"files": {"i": b"x"}, "data": {"top_k": "many"}}, 422, "top_k"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 400, "boundary"),
        ({"content": b"x", "headers": {"content-type": "multipart/form-data; boundary=b"}}, 400, "multipart"),
        ({"files": {"i": b"x", "field": (None, b"x" * 1001)}, "params": {}}, 413, "1,000"),
    ],
)
def test_bad_multipart_is_told(ask: Ask, options: dict[str, object], status: int, words: str) -> None:
    response = ask("POST", "/classify", **options)
    assert (response.status_code, words in response.json()["detail"]) == (status, True), response.text


def test_top_k_of_the_query_is_the_first_choice(ask: Ask) -> None:
    body = {"image": "YWJj", "top_k": 2}
    assert len(ask("POST", "/classify", json=body).json()["predictions"]) == 2
    assert len(ask("POST", "/classify?top_k=1", json=body).json()["predictions"]) == 1
    assert ask("POST", "/classify?top_k=none", json=body).status_code == 422


def test_score_threshold_in_text() -> None:
    for text, value in (
        ("0", 0.0),
        ("1", 1.0),
        ("0.5", 0.5),
        ("1e-3", 0.001),
        ("-0.0", 0.0),
        ("5e-324", 5e-324),
    ):
        assert parse_threshold(text) == value
    for text in (
        "",
        "1.01",
        "-0.1",
        "nan",
        "inf",
        "1_0",
        " 0.5",
        "0,5",
        ".5",
        "٣",
        "0x1",
        "9" * 5000,
        "1e999",
    ):
        with pytest.raises(UnprocessableError, match="score_threshold") as caught:
            parse_threshold(text)
        assert "\n" not in str(caught.value)


def test_score_threshold_in_every_form_of_a_request(ask: Ask) -> None:
    body = {"image": "YWJj", "score_threshold": 0.5}
    for options in (
        {"content": b"x", "params": {"score_threshold": "0.5"}},
        {"json": body},
        {"files": {"image": b"x"}, "data": {"score_threshold": "0.5"}},
    ):
        answer = ask("POST", "/classify", **options).json()
        assert [entry["label"] for entry in answer["predictions"]] == ["dog"]
    # The query goes first here too.
    answer = ask("POST", "/classify?score_threshold=0.2", json=body).json()
    assert len(answer["predictions"]) == 2
    assert ask("POST", "/classify?score_threshold=2", json=body).status_code == 422
    assert ask("POST", "/classify", files={"i": b"x"}, data={"score_threshold": "x"}).status_code == 422


def test_a_threshold_that_no_class_reaches_leaves_none(ask: Ask) -> None:
    answer = ask("POST", "/classify?score_threshold=0.9", content=b"x").json()
    assert (answer["label"], answer["score"], answer["predictions"]) == (None, None, [])
    files = [("i", ("a", b"x")), ("i", ("b", b"y"))]
    results = ask("POST", "/classify?score_threshold=0.9", files=files).json()["results"]
    assert [result["label"] for result in results] == [None, None]


@pytest.mark.parametrize(
    "charset",
    ["utf-8", "undefined", "idna", "punycode", "base64", "rot13", "zip", "utf-16", "nonsense", "\u00e4"],
)
@pytest.mark.parametrize("name", [b"top_k", b"\xff\xfe\xd8", b"xn--\xff"])
def test_a_strange_charset_of_a_form_is_no_crash(ask: Ask, charset: str, name: bytes) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n\xff\r\n' % name
    body += b'--b\r\nContent-Disposition: form-data; name="i"; filename="%b"\r\n\r\nx\r\n--b--\r\n' % name
    kind = f"multipart/form-data; boundary=b; charset={charset}".encode()
    response = ask("POST", "/classify", content=body, headers={"content-type": kind})
    assert response.status_code in (200, 400, 422), response.text


def test_a_large_form_never_touches_the_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*args: object, **options: object) -> None:
        raise AssertionError("a file was made")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    app = create_app(service, max_bytes=5_000_000, max_images=3)

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/classify", files={"i": b"x" * 4_000_000})

    assert asyncio.run(once()).status_code == 200

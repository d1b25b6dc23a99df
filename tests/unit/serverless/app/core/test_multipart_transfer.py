"""How an image's bytes travel."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette

from edge_runtime.common.errors import UsageError
from serverless.app import create_app
from serverless.app.core.http_problems import UnprocessableError
from serverless.app.core.multipart import check_line_breaks, decode_base64
from serverless.app.core.request_reading import from_json
from serverless.app.core.service import Service

Ask = Callable[..., httpx.Response]


@pytest.fixture
def app(service: Service) -> Starlette:
    return create_app(service, max_bytes=100_000, max_images=3)


@given(data=st.binary(max_size=40), url_safe=st.booleans(), padded=st.booleans(), bom=st.booleans())
def test_every_spelling_of_base64_is_read(data: bytes, url_safe: bool, padded: bool, bom: bool) -> None:
    text = (base64.urlsafe_b64encode if url_safe else base64.b64encode)(data).decode()
    text = text if padded else text.rstrip("=")
    assert decode_base64(f"\ufeff{text}" if bom else f" {text}\r\n") == data
    assert decode_base64(f"\ufeff data:image/png;base64,{text}") == data


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("https://example.org/cat.jpg", "images are not fetched"),
        ("s3://pets/cat.jpg", "images are not fetched"),
        ("data:image/svg+xml,<svg/>", "without ;base64"),
        ("data:image/png;base64,AA%2BB", "percent-encoded"),
        ("AA%3D%3D", "percent-encoded"),
        ("AAAAA", "5 characters: it is truncated"),
        ("/9j/4AAQ!", "9 characters"),
        ("AA(=", "base64"),
    ],
)
def test_what_is_no_base64_is_named(text: str, words: str) -> None:
    with pytest.raises(UnprocessableError, match="must be base64") as caught:
        decode_base64(text)
    assert words in str(caught.value)


def test_json_may_begin_with_a_byte_order_mark(ask: Ask) -> None:
    body = '\ufeff{"image": "YWJj"}'.encode()
    assert from_json(body, 3).images == (b"abc",)
    assert (
        ask("POST", "/classify", content=body, headers={"content-type": "application/json"}).status_code
        == 200
    )


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"image": "YWJj"}'.encode("utf-16"), "UTF-16"),
        ('{"image": "YWJj"}'.encode("utf-16-le"), "UTF-16"),
        ('{"image": "YWJj"}'.encode("utf-16-be"), "UTF-16"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b"\x28\xb5\x2f\xfd\0", "Zstandard"),
    ],
)
def test_json_in_another_encoding_is_named(body: bytes, name: str) -> None:
    with pytest.raises(UsageError, match=f"Received: {name}"):
        from_json(body, 3)


@pytest.mark.parametrize("kind", ["image/jpeg", "application/json", "multipart/form-data; boundary=b", ""])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "gzip, identity"])
def test_a_compressed_body_is_415_before_it_is_read(ask: Ask, kind: str, encoding: str) -> None:
    headers = {"content-type": kind, "content-encoding": encoding}
    response = ask("POST", "/classify", content=b"\x1f\x8b", headers=headers)
    assert response.status_code == 415
    assert f"'{encoding}'" in response.json()["detail"]
    assert "uncompressed" in response.json()["detail"]
    headers["content-encoding"] = "Identity"
    assert ask("POST", "/classify", content=b"\x1f\x8b", headers=headers).status_code != 415


def test_image_bytes_under_curls_default_type_are_taken(ask: Ask) -> None:
    image = np.random.default_rng(0).bytes(5_000)
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert ask("POST", "/classify", content=image, headers=headers).json()["label"] == "dog"
    # As a request without any type, and as S3 calls what has none.
    for kind in ("", "binary/octet-stream"):
        assert ask("POST", "/classify", content=image, headers={"content-type": kind}).status_code == 200
    text = ask("POST", "/classify", content=b"image=AAAA&top_k=3", headers=headers)
    assert text.status_code == 415
    assert "with text" in text.json()["detail"]


def test_what_curl_d_leaves_of_a_picture_names_the_option(ask: Ask) -> None:
    image = np.random.default_rng(0).bytes(5_000)
    stripped = bytes(byte for byte in image if byte not in b"\r\n\0")
    response = ask(
        "POST", "/classify", content=stripped, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 400
    assert "--data-binary" in response.json()["detail"]
    check_line_breaks(stripped[:2_000])

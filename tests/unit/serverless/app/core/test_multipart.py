"""Forms as clients really send them."""

from __future__ import annotations

import base64
from collections.abc import Callable

import httpx
import pytest

Ask = Callable[..., httpx.Response]

IMAGE = b"\xff\xd8\xff\xe0\0\x10JFIF\0"


def part(disposition: str, content: bytes, *headers: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *headers]
    return "\r\n".join(["--X", *lines, "", ""]).encode() + content + b"\r\n"


def send(ask: Ask, *parts: bytes, end: bytes = b"--X--\r\n") -> httpx.Response:
    kind = {"content-type": "multipart/form-data; boundary=X"}
    return ask("POST", "/classify", content=b"".join(parts) + end, headers=kind)


@pytest.mark.parametrize(
    ("disposition", "headers"),
    [
        # React Native, and Node's form-data with a buffer.
        ('name="image"', ["Content-Type: image/jpeg"]),
        ('name="image"', ["Content-Type: application/octet-stream"]),
        ('name="image"', []),
        ('name="anything"', ["Content-Type: text/plain"]),
        # Some Java clients.
        ('name="image"; filename=""', ["Content-Transfer-Encoding: binary"]),
        ("name=image; filename=a.jpg", ["content-type: IMAGE/JPEG"]),
        ("name=\"image\"; filename*=UTF-8''caf%C3%A9.jpg", []),
        ('filename="a.jpg"', []),
    ],
)
def test_a_part_that_is_an_image_is_one(ask: Ask, disposition: str, headers: list[str]) -> None:
    assert send(ask, part(disposition, IMAGE, *headers)).json()["label"] == "dog"


def test_a_file_of_text_is_an_image_that_cannot_be_used(ask: Ask) -> None:
    assert (
        send(ask, part('name="i"; filename="a"', b"bad")).json()["detail"].startswith("An image must be good")
    )


@pytest.mark.parametrize("count", [1, 3])
def test_file_inputs_that_nobody_filled_are_nothing(ask: Ask, count: int) -> None:
    empty = part('name="b"; filename=""', b"", "Content-Type: application/octet-stream")
    answer = send(ask, part('name="a"; filename="a.jpg"', IMAGE), *[empty] * count).json()
    assert answer["label"] == "dog"
    alone = send(ask, *[empty] * count)
    assert alone.status_code == 422
    assert f"{count} file input" in alone.json()["detail"]
    assert "without a file" in alone.json()["detail"]


def test_an_empty_file_with_a_name_is_an_image(ask: Ask) -> None:
    assert (
        "results"
        in send(ask, *[part('name="a"; filename="a.jpg"', content) for content in (b"", IMAGE)]).json()
    )


def test_many_and_long_fields_are_left_alone(ask: Ask) -> None:
    fields = [part(f'name="f{number}"', b"x") for number in range(17)]
    # Of 1,000 bytes of body, as this app has it.
    answer = ask(
        "POST",
        "/classify",
        files=[("image", ("a.jpg", b"x")), ("n", (None, "x" * 200)), ("top_k", (None, "1"))],
    ).json()
    assert len(answer["predictions"]) == 1
    assert send(ask, *fields[:8], part('name="i"; filename="i"', b"x")).json()["label"] == "dog"


def test_a_note_that_is_not_utf_8_is_no_image(ask: Ask) -> None:
    answer = send(
        ask, part('name="by"', "Björn".encode("latin-1")), part('name="i"; filename="i"', IMAGE)
    ).json()
    assert answer["label"] == "dog"


def test_options_are_options_whatever_type_they_say(ask: Ask) -> None:
    kind = "Content-Type: application/octet-stream"
    answer = send(ask, part('name="top_k"', b"1", kind), part('name="i"; filename="i"', IMAGE)).json()
    assert len(answer["predictions"]) == 1


@pytest.mark.parametrize("prefix", ["", "data:image/jpeg;base64,"])
def test_base64_in_a_text_field_is_an_image(ask: Ask, prefix: str) -> None:
    text = (prefix + base64.b64encode(IMAGE).decode()).encode()
    assert send(ask, part('name="image"', text)).json()["label"] == "dog"
    assert (
        send(ask, part('name="i"; filename="a"', text, "Content-Transfer-Encoding: base64")).json()["label"]
        == "dog"
    )


@pytest.mark.parametrize(
    ("parts", "end", "status", "words"),
    [
        (
            [part('name="image"', b"photo.jpg")],
            b"--X--\r\n",
            422,
            "the text 'photo.jpg'. With curl use: -F image=@",
        ),
        ([part('name="note"', b"x")], b"--X--\r\n", 422, "Received: note text fields."),
        ([part('name="i"; filename="i"', IMAGE)], b"", 400, "ends within part 1"),
        ([part('name="i"; filename="i"', IMAGE)[:-20]], b"", 400, "ends within part 1"),
        ([b"--Y\r\n"], b"", 400, "well-formed"),
        ([], b"", 400, "nothing between"),
        (
            [part('name="i"; filename="i"', b"=FF", "Content-Transfer-Encoding: quoted-printable")],
            b"--X--\r\n",
            422,
            "'quoted-printable'",
        ),
    ],
)
def test_what_is_wrong_is_told_in_the_clients_words(
    ask: Ask, parts: list[bytes], end: bytes, status: int, words: str
) -> None:
    response = send(ask, *parts, end=end)
    assert response.status_code == status, response.text
    assert words in response.json()["detail"]
    assert "\n" not in response.json()["detail"]


def test_a_form_without_a_boundary_names_the_cause(ask: Ask) -> None:
    response = ask("POST", "/classify", content=IMAGE, headers={"content-type": "multipart/form-data"})
    assert response.status_code == 400
    assert "Let the HTTP library set this header" in response.json()["detail"]

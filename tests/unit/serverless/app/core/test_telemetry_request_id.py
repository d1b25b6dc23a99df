"""Which id a request has."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from serverless.app.core.telemetry import choose_id

Ask = Callable[..., httpx.Response]

RANDOM = re.compile(r"[0-9a-f]{32}")


def scope(*values: bytes, aws: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "http", "headers": [(b"X-Request-ID", value) for value in values]}
    if aws is not None:
        found["aws.context"] = SimpleNamespace(aws_request_id=aws)
    return found


def test_a_sane_id_is_honoured() -> None:
    assert choose_id(scope(b"abc-1.2_Z")) == "abc-1.2_Z"
    assert choose_id(scope(b"x" * 128, aws="aws-1")) == "x" * 128


@pytest.mark.parametrize(
    "value", [b"", b"x" * 129, b"a b", b"a\nb", b"a;b", b"\xfcml", b"<script>", b"abc\n"]
)
def test_any_other_is_replaced(value: bytes) -> None:
    assert RANDOM.fullmatch(choose_id(scope(value)))
    assert choose_id(scope(value, aws="aws-1")) == "aws-1"


def test_two_ids_are_none() -> None:
    assert RANDOM.fullmatch(choose_id(scope(b"a", b"b")))


def test_a_context_without_an_id_is_passed_over() -> None:
    assert RANDOM.fullmatch(choose_id({"headers": [], "aws.context": object()}))


def test_every_answer_has_one(ask: Ask) -> None:
    for method, path in (
        ("GET", "/health"),
        ("GET", "/nowhere"),
        ("DELETE", "/classify"),
        ("POST", "/classify"),
    ):
        first, second = (ask(method, path).headers["x-request-id"] for _ in range(2))
        assert RANDOM.fullmatch(first)
        assert first != second
        assert ask(method, path, headers={"x-request-id": "mine"}).headers.get_list("x-request-id") == [
            "mine"
        ]

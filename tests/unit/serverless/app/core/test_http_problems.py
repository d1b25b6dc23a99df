"""Errors as problem details."""

from __future__ import annotations

import logging
from collections.abc import Callable

import httpx
import pytest

from edge_runtime.common.errors import (
    EnvironmentMissingError,
    ImageError,
    ImageFormatError,
    ImageTooLargeError,
    ModelFileError,
)
from serverless.app.core.http_problems import (
    ForbiddenError,
    NotReadyError,
    UnauthorizedError,
    UnavailableError,
    UnprocessableError,
    problem_of,
)
from serverless.serving.admission import BusyError

Ask = Callable[..., httpx.Response]


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (ImageError("x"), "urn:snapship:image-error", 400),
        (ImageFormatError("x"), "urn:snapship:image-format-error", 415),
        (ImageTooLargeError("x"), "urn:snapship:image-too-large-error", 413),
        (UnprocessableError("x"), "urn:snapship:unprocessable-error", 422),
        (UnauthorizedError("x"), "urn:snapship:unauthorized-error", 401),
        (ForbiddenError("x"), "urn:snapship:forbidden-error", 403),
    ],
)
def test_the_clients_errors_say_what_to_do(error: Exception, kind: str, status: int) -> None:
    problem = problem_of(error, "id-1")
    assert (problem.type, problem.status, problem.detail, problem.request_id) == (kind, status, "x", "id-1")


def test_title_is_words() -> None:
    assert problem_of(ImageTooLargeError("x")).title == "Image too large error"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ModelFileError("/srv/a"), 500),
        (EnvironmentMissingError("/srv/a"), 503),
        (KeyError("/srv/a"), 500),
    ],
)
def test_the_servers_errors_give_nothing_away(error: Exception, status: int) -> None:
    problem = problem_of(error, "id-1")
    assert (problem.type, problem.status) == ("about:blank", status)
    assert "/srv" not in problem.detail


def test_a_crash_is_500_and_its_trace_is_only_in_the_log(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = ask("POST", "/classify", content=b"crash", headers={"x-request-id": "find-me"})
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["x-request-id"] == "find-me"
    assert "secret" not in response.text
    assert "Traceback" not in response.text
    assert "find-me" in caplog.text
    assert "ZeroDivisionError: secret of the server" in caplog.text


def test_a_crash_among_several_is_500_too(ask: Ask) -> None:
    files = [("i", ("a", b"x")), ("i", ("b", b"crash"))]
    assert ask("POST", "/classify", files=files).status_code == 500


def test_unknown_path_and_method(ask: Ask) -> None:
    missing = ask("GET", "/nowhere")
    assert (missing.status_code, missing.headers["content-type"]) == (404, "application/problem+json")
    assert "'/nowhere'" in missing.json()["detail"]
    assert ask("POST", "/classify/").status_code == 404
    wrong = ask("GET", "/classify")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["title"] == "Method Not Allowed"
    assert wrong.json()["request_id"] == wrong.headers["x-request-id"]


def test_a_long_path_is_not_repeated_whole(ask: Ask) -> None:
    assert len(ask("GET", "/" + "a" * 5000).json()["detail"]) < 300


def test_a_strange_host_is_no_crash(ask: Ask) -> None:
    for host in ("[", "a b", "\u00e4", "x" * 5000, "a:99999"):
        headers = {"host": host.encode()}
        assert ask("GET", "/nowhere", headers=headers).status_code == 404
        assert ask("GET", "/health", headers=headers).status_code == 200
        assert ask("POST", "/classify", content=b"x", headers=headers).status_code == 200


def test_no_answer_may_be_cached_or_taken_for_a_page(ask: Ask) -> None:
    for method, path in (("GET", "/labels"), ("GET", "/nowhere"), ("POST", "/classify")):
        headers = ask(method, path, content=b"x").headers
        assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert ask("GET", "/").headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("kind", [NotReadyError, BusyError])
def test_what_is_not_now_is_explained(kind: type[UnavailableError]) -> None:
    problem = problem_of(kind("Not now.", retry_after=1), "id-1")
    assert (problem.status, problem.detail) == (503, "Not now.")

"""The Lambda entry without a bundle."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette

import serverless.app
from edge_runtime.common.errors import BundleError, UsageError
from serverless.app.entry import Handler, load_handler

CONTEXT = SimpleNamespace(aws_request_id="aws-1")


def event(path: str, stage: str, version: str = "2.0") -> dict[str, Any]:
    return {
        "version": version,
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "id.execute-api.eu-west-1.amazonaws.com"},
        "requestContext": {
            "http": {"method": "GET", "path": path, "sourceIp": "192.0.2.1"},
            "stage": stage,
            "requestId": "gw-1",
        },
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    ("path", "stage", "status"),
    [
        ("/health", "$default", 200),
        ("/prod/health", "prod", 200),
        ("/health", "prod", 200),
        ("/health/health", "health", 200),
        ("/production/health", "prod", 404),
        ("/prod/health", "$default", 404),
        ("/prod", "prod", 200),
    ],
)
def test_the_stage_of_an_http_api_is_no_part_of_the_path(
    app: Starlette, path: str, stage: str, status: int
) -> None:
    assert Handler(app)(event(path, stage), CONTEXT)["statusCode"] == status


@pytest.mark.parametrize("error", [None, BundleError("damaged")])
def test_garbage_is_collected_again_once_the_handler_is_loaded(
    monkeypatch: pytest.MonkeyPatch, error: BundleError | None
) -> None:
    during = []

    def load() -> str:
        during.append(gc.isenabled())
        if error is not None:
            raise error
        return "loaded"

    monkeypatch.setattr("serverless.app.entry.load_handler", load)
    try:
        with suppress(BundleError):
            assert serverless.app.handler == "loaded"  # type: ignore[comparison-overlap]
        assert during == [False]
        assert gc.isenabled()
    finally:
        vars(serverless.app).pop("handler", None)
        gc.unfreeze()


def test_the_request_id_is_lambdas(app: Starlette) -> None:
    answer = Handler(app)(event("/health", "$default"), CONTEXT)
    assert answer["headers"]["x-request-id"] == "aws-1"


def test_json_and_problems_are_text(app: Starlette) -> None:
    handler = Handler(app)
    for path in ("/health", "/nowhere"):
        answer = handler(event(path, "$default"), CONTEXT)
        assert answer["isBase64Encoded"] is False
        assert isinstance(json.loads(answer["body"]), dict)


@pytest.mark.parametrize("content", [{"Records": []}, {"detail-type": "Another", "source": "aws.ec2"}])
def test_another_services_event_is_a_one_line_error(app: Starlette, content: Any) -> None:
    with pytest.raises(UsageError, match="API Gateway") as caught:
        Handler(app)(content, CONTEXT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [{}, [], "text", None])
def test_what_is_no_event_is_a_problem(app: Starlette, content: Any) -> None:
    problem = Handler(app)(content, CONTEXT)
    assert problem["status"] == 422
    assert problem["request_id"] == "aws-1"


@pytest.mark.parametrize(
    "content",
    [
        {"requestContext": 1},
        {"requestContext": {}},
        {"requestContext": {"connectionId": "x"}},
        {"version": "2.0", "requestContext": {"http": {}}},
        {"resource": "/", "path": "/health", "httpMethod": ["GET"], "requestContext": {}},
        event("/health", "$default") | {"body": "A", "isBase64Encoded": True},
        event("/health", "$default") | {"headers": {"host": "a:b:c"}},
    ],
)
def test_a_malformed_request_is_a_problem_and_a_line_in_the_log(
    app: Starlette, content: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = Handler(app)(content, CONTEXT)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (422, False)
    assert answer["headers"] == {"content-type": "application/problem+json", "x-request-id": "aws-1"}
    problem = json.loads(answer["body"])
    assert (problem["status"], problem["request_id"]) == (422, "aws-1")
    assert "API Gateway" in problem["detail"]
    assert "\n" not in problem["detail"]
    (line,) = capsys.readouterr().out.splitlines()
    found = json.loads(line)
    assert (found["status"], found["request_id"], found["error"]) == (422, "aws-1", "UnprocessableError")
    assert "trace" not in found


def test_events_are_imported_when_the_first_one_comes() -> None:
    code = "import sys, serverless.app.entry; print([name for name in sys.modules if '.events' in name])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['asyncio.events']"


def test_it_works_after_the_loop_was_closed_and_in_another_thread(app: Starlette) -> None:
    handler = Handler(app)
    asyncio.run(asyncio.sleep(0))
    assert handler(event("/health", "$default"), CONTEXT)["statusCode"] == 200
    answers: list[int] = []
    thread = threading.Thread(
        target=lambda: answers.append(handler(event("/health", "$default"), CONTEXT)["statusCode"])
    )
    thread.start()
    thread.join()
    assert answers == [200]


def test_a_missing_bundle_is_told_while_the_function_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SNAPSHIP_BUNDLE", str(tmp_path / "gone.bundle"))
    with pytest.raises(BundleError, match=r"gone\.bundle"):
        serverless.app.handler  # noqa: B018
    with pytest.raises(UsageError, match="SNAPSHIP_BUNDLE"):
        load_handler({"LAMBDA_TASK_ROOT": str(tmp_path)})

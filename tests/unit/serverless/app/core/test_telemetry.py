"""What the log says of a request, and what it never says."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from serverless.app import create_app
from serverless.app.core import telemetry
from serverless.app.core.api_schema import Served
from serverless.app.core.keys import from_text, new_key
from serverless.app.core.service import ServedModel, Service
from serverless.app.core.telemetry import MAX_TEXT, MAX_TRACE, RequestRecord, line, log_event

Log = Callable[..., dict[str, Any]]


@pytest.fixture
def log(service: Service, capsys: pytest.CaptureFixture[str]) -> Log:
    """Asks once and gives the line."""
    app = create_app(service, max_bytes=1000, max_images=3, log="json")

    def send(method: str, path: str, app: Starlette = app, **options: Any) -> dict[str, Any]:
        async def once() -> None:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                await client.request(method, path, **options)

        capsys.readouterr()
        asyncio.run(once())
        (text,) = capsys.readouterr().out.splitlines()
        found: dict[str, Any] = json.loads(text)
        return found

    return send


def test_a_request_has_one_line_with_its_stages(log: Log) -> None:
    found = log("POST", "/classify?top_k=1", content=b"x" * 10, headers={"x-request-id": "mine"})
    assert found["kind"] == "http"
    assert (found["method"], found["path"], found["status"]) == ("POST", "/classify", 200)
    assert (found["request_id"], found["bytes"], found["images"]) == ("mine", 10, 1)
    assert (found["label"], found["score"], found["level"]) == ("dog", 0.75, "INFO")
    stages = [found["read_ms"], found["decode_ms"], found["classify_ms"]]
    assert all(stage >= 0 for stage in stages)
    assert sum(stages) <= found["total_ms"]
    age = datetime.now().astimezone() - datetime.fromisoformat(found["time"])
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_several_images_have_no_label(log: Log) -> None:
    files = [("i", ("a", b"x")), ("i", ("b", b"bad")), ("i", ("c", b"y"))]
    found = log("POST", "/classify", files=files)
    assert (found["images"], found["status"]) == (3, 200)
    assert "label" not in found
    assert found["classify_ms"] >= 0


def test_the_metrics_follow_amazons_format(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "snapship-pets")
    found = log("POST", "/classify", content=b"x")
    (directive,) = found["_aws"]["CloudWatchMetrics"]
    assert abs(found["_aws"]["Timestamp"] / 1000 - datetime.now().timestamp()) < 60
    assert directive["Namespace"] == "snapship"
    assert directive["Dimensions"] == [["Function"]]
    assert found["Function"] == "snapship-pets"
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert units == {
        "Requests": "Count",
        "Errors": "Count",
        "Latency": "Milliseconds",
        "ColdStarts": "Count",
    }
    # Every dimension and metric is a member at the top.
    assert {type(found[name]) for name in units} <= {int, float}
    assert (found["Requests"], found["Errors"], found["Latency"]) == (1, 0, found["total_ms"])


def test_only_failures_of_the_server_are_errors(log: Log) -> None:
    found = log("POST", "/classify", content=b"bad")
    assert (found["status"], found["error"], found["Errors"]) == (400, "ImageError", 0)
    assert "trace" not in found
    found = log("GET", "/nowhere")
    assert (found["status"], found["Errors"]) == (404, 0)
    found = log("POST", "/classify", content=b"crash")
    assert (found["status"], found["level"], found["Errors"]) == (500, "ERROR", 1)
    assert found["error"] == "ZeroDivisionError"
    assert "secret of the server" in found["trace"]
    assert "Traceback" in found["trace"]


def test_the_name_of_the_key_and_never_the_key(service: Service, log: Log) -> None:
    secret, entry = new_key("phone")
    app = create_app(service, max_bytes=1000, max_images=3, keys=from_text(entry), log="json")
    found = log("GET", "/labels", app, headers={"x-api-key": secret})
    assert (found["status"], found["key"]) == (200, "phone")
    found = log("GET", "/labels", app, headers={"x-api-key": "not-one-of-them"})
    assert (found["status"], found["error"]) == (401, "UnauthorizedError")
    assert "not-one-of-them" not in json.dumps(found)


@pytest.mark.parametrize(
    "options",
    [
        {"content": b"SECRETCONTENT", "headers": {"content-type": "text/plain"}},
        {"content": b"SECRETCONTENT" * 100},
        {"content": b'{"image": "SECRETCONTENT!"}', "headers": {"content-type": "application/json"}},
        {"content": b'{"SECRETCONTENT": 1}', "headers": {"content-type": "application/json"}},
        {"files": {"SECRETCONTENT": ("SECRETCONTENT", b"SECRETCONTENT")}},
        {"files": {"x": (None, b"SECRETCONTENT")}},
        {"content": b"x", "params": {"top_k": "SECRETCONTENT"}},
        {"content": b"x", "headers": {"x-secret": "SECRETCONTENT", "user-agent": "SECRETCONTENT"}},
        {"content": b"x", "headers": {"x-request-id": "SECRETCONTENT !"}},
    ],
)
def test_nothing_of_what_was_sent_is_in_the_line(log: Log, options: dict[str, Any]) -> None:
    assert "SECRETCONTENT" not in json.dumps(log("POST", "/classify", **options))


EVIL = 'x\n{"level":"FAKE"}\r\x00\x1b[31m\u2028\u2029\x85\ud800"\\,"status":1'


def test_paths_methods_and_labels_stay_in_their_line() -> None:
    record = RequestRecord("http", request_id="a", method=EVIL, path=EVIL, status=200, label=EVIL, error=EVIL)
    text = line(record, namespace="snapship", cold_start=False)
    assert text.isascii()
    assert text.isprintable()
    assert "\n" not in text
    found = json.loads(text)
    assert (found["level"], found["status"], found["path"]) == ("INFO", 200, EVIL)


def test_a_path_with_a_line_break_is_one_line(service: Service, log: Log) -> None:
    found = log("GET", '/x%0A{"level":"FAKE"}%1b')
    assert found["path"] == '/x\n{"level":"FAKE"}\x1b'


def test_a_model_with_a_strange_label(model: Any, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = model.classify

    def strange(*args: Any) -> Any:
        result = plain(*args)
        best = result.top.__class__('"}\n{"a":"' + "x" * 5000, 0, 1.0)
        return result.__class__((best,), 1.0)

    monkeypatch.setattr(model, "classify", strange)
    service = Service(ServedModel(model, Served("pets", "x")), workers=1)
    found = log(
        "POST", "/classify", create_app(service, max_bytes=1000, max_images=3, log="json"), content=b"x"
    )
    assert found["label"].startswith('"}\n{"a":"x')
    assert len(found["label"]) == MAX_TEXT


def test_long_texts_and_traces_are_cut() -> None:
    record = RequestRecord("http", path="/" + "a" * 100_000, method="M" * 100_000)
    record.failed(ValueError("x" * 100_000))
    text = line(record, namespace="snapship", cold_start=False)
    assert MAX_TEXT - 5 <= len(json.loads(text)["path"]) <= MAX_TEXT
    assert len(text) < MAX_TRACE + 3000


def test_without_a_namespace_there_are_no_metrics() -> None:
    assert "_aws" not in json.loads(line(RequestRecord("direct"), namespace="", cold_start=True))


def test_an_event_writes_the_same_line(capsys: pytest.CaptureFixture[str]) -> None:
    log_event(RequestRecord("s3", request_id="r", status=200, bytes=7, images=1), namespace="own/space")
    found = json.loads(capsys.readouterr().out)
    assert (found["kind"], found["bytes"]) == ("s3", 7)
    assert found["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "own/space"
    assert "path" not in found


def test_the_first_line_of_a_process_is_its_cold_start() -> None:
    code = (
        "from serverless.app.core.telemetry import *\nfor _ in range(3): log_event(RequestRecord('direct'))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    lines = [json.loads(text) for text in done.stdout.splitlines()]
    assert [found["cold_start"] for found in lines] == [True, False, False]
    assert [found["ColdStarts"] for found in lines] == [1, 0, 0]


def test_it_is_off_by_default(app: Starlette, capsys: pytest.CaptureFixture[str]) -> None:
    async def once() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get("/health")).status_code == 200

    asyncio.run(once())
    assert capsys.readouterr().out == ""


def test_a_client_that_leaves_is_told_apart(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    app = create_app(service, max_bytes=1000, max_images=3, log="json")

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there")

    scope = {"type": "http", "method": "POST", "path": "/classify", "raw_path": b"/classify", "headers": []}
    scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("test", 80)}
    asyncio.run(app(scope, receive, send))
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["Errors"]) == (499, 0)


def test_the_metrics_are_named_once() -> None:
    assert len({metric["Name"] for metric in telemetry.METRICS}) == 4

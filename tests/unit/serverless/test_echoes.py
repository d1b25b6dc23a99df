"""Every place that repeats what a client wrote, given far too much of it: answers and log stay short."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from starlette.applications import Starlette

from edge_runtime.bundle.labels import parse_labels
from edge_runtime.bundle.manifest import read_manifest
from edge_runtime.common.errors import SnapshipError
from serverless.app import create_app
from serverless.app.core.keys import from_text, new_key
from serverless.app.core.service import Service
from serverless.app.core.settings import AppConfig
from serverless.app.entry import Handler

ROOT = Path(__file__).parents[3]

MAX_ANSWER = 3_500
"""Bytes; a hundred characters of a text can become a thousand by escapes, and JSON doubles backslashes."""

MAX_LINE = 9_000
"""Bytes of the log for one request; a failure of AWS has a stack trace of 4,000 characters."""

# The client takes 65,536 characters of a path, percent signs included.
LENGTH = 20_000

TEXTS = st.builds(
    lambda unit, end: (unit * LENGTH)[:LENGTH] + end,
    st.sampled_from(
        ["a", "é", "\n", "\x1b[31m", "\0", "\ud800", "\U0001f4a5", "'\"", "\\", "%2B", "\u202e", "a,"]
    )
    | st.text(st.characters(), min_size=1, max_size=3),
    st.text(st.characters(), max_size=3),
)

FORM = "--b\r\nContent-Disposition: form-data; {}\r\n\r\n{}\r\n--b--\r\n"

Send = Callable[[Starlette, str], httpx.Response]


def request(method: str = "POST", path: str = "/classify", **options: Any) -> Send:
    """Asks the app; what holds ``@`` holds the text in its place."""

    def send(app: Starlette, text: str) -> httpx.Response:
        header = "".join(char for char in text if "\x20" < char < "\x7f") or "a" * LENGTH

        def put(value: Any) -> Any:
            if isinstance(value, dict):
                return {put(key): put(one) for key, one in value.items()}
            if isinstance(value, str):
                return value.replace("@", header)
            return value

        filled = {name: put(value) for name, value in options.items() if name not in ("json", "form")}
        headers = filled.setdefault("headers", {})
        if "json" in options:
            filled["content"] = json.dumps(options["json"]).replace("@", json.dumps(text)[1:-1])
            headers["content-type"] = "application/json"
        if "form" in options:
            content = FORM.format(*(part.replace("@", text) for part in options["form"]))
            filled["content"] = content.encode("utf-8", "surrogatepass")
            headers["content-type"] = "multipart/form-data; boundary=b"

        async def once() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://test"
            ) as client:
                return await client.request(put(method), put(path), **filled)

        return asyncio.run(once())

    return send


def header(name: str, value: str = "@") -> Send:
    return request(content=b"x", headers={name: value})


REQUESTS = {
    "path": request("GET", "/x@"),
    "path of another": request("GET", "/x@/classify"),
    "method": request("A@", "/labels"),
    "query": request(path="/classify?top_k=@", content=b"x"),
    "query's threshold": request(path="/classify?score_threshold=@", content=b"x"),
    "content type": header("content-type"),
    "boundary": header("content-type", "multipart/form-data; boundary=@"),
    "content encoding": header("content-encoding"),
    "request id": header("x-request-id"),
    "length": header("content-length", "@"),
    "key": header("x-api-key"),
    "bearer": header("authorization", "Bearer @"),
    "member": request(json={"@": 1}),
    "member of a member": request(json={"image": {"@": 1}}),
    "image": request(json={"image": "@!"}),
    "images": request(json={"images": ["!@", "data:@", "https://@"]}),
    "JSON's top_k": request(json={"image": "AA==", "top_k": "@"}),
    "no JSON": request(content="@", headers={"content-type": "application/json"}),
    "field": request(form=('name="@"', "x")),
    "file name": request(form=('name="i"; filename="@"', "bad")),
    "field's top_k": request(form=('name="top_k"', "@")),
    "image in a field": request(form=('name="image"', "@ no base64!")),
    "encoding of a part": request(form=('name="i"; filename="i"\r\nContent-Transfer-Encoding: @', "x")),
    "header of a part": request(form=('name="i"\r\n@: x', "x")),
    "origin": request("OPTIONS", headers={"origin": "@", "access-control-request-method": "POST"}),
    "origin's method": request(
        "OPTIONS", headers={"origin": "https://a.test", "access-control-request-method": "@"}
    ),
}

SQS = {"eventSource": "aws:sqs", "messageId": "m"}
SNS = {"Type": "Notification", "TopicArn": "arn", "Message": "{}"}
OBJECT = {"bucket": {"name": "pets"}, "object": {"key": "k"}}
RECORD = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": OBJECT}


def messages(*bodies: Any) -> dict[str, Any]:
    return {"Records": [{**SQS, "body": body} for body in bodies]}


EVENTS: dict[str, Any] = {
    "member": {"@": 1},
    "image": {"image": "@!"},
    "images": {"images": ["@!", "data:@"]},
    "top_k": {"image": "AA==", "top_k": "@"},
    "bucket": {"Records": [RECORD | {"s3": OBJECT | {"bucket": {"name": "@"}}}]},
    "key": {"Records": [RECORD | {"s3": OBJECT | {"object": {"key": "@"}}}]},
    "size": {"Records": [RECORD | {"s3": OBJECT | {"object": {"key": "k", "size": "@"}}}]},
    "event name": {"Records": [RECORD | {"eventName": "ObjectCreated:@", "s3": {"@": "@"}}]},
    "source": {"Records": [{"eventSource": "@"}]},
    "two sources": {"Records": [{"eventSource": "@"}, {"eventSource": "aws:@"}]},
    "source of all": {"eventSource": "@", "records": {}},
    "a pipe's": [{"eventSource": "@"}],
    "detail type": {"detail-type": "@", "source": "aws.s3", "detail": {}},
    "another's detail type": {"detail-type": "@", "source": "@"},
    "bridged bucket": {
        "detail-type": "Object Created",
        "source": "aws.s3",
        "detail": OBJECT | {"bucket": {"name": "@"}},
    },
    "message": messages("@", {"@": 1}, {"Records": [{"eventSource": "@"}]}),
    "message's object": messages(
        {"bucket": "@", "key": "k"}, {"bucket": "b", "key": "@"}, {"bucket": "b", "@": 1}
    ),
    "message's image": messages({"image": "@!"}, {"images": ["@"], "top_k": "@"}),
    "message id": {"Records": [SQS | {"messageId": "@", "body": "{}"}]},
    "queue": {"Records": [SQS | {"body": "{}", "eventSourceARN": "@"}]},
    "topic's message": messages(SNS | {"Message": "@"}, SNS | {"Type": "@", "TopicArn": "@"}),
    "topic": {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "m", "Message": "@"}}]},
    "topic's id": {"Records": [{"EventSource": "aws:sns", "Sns": {"MessageId": "@", "Message": "{}"}}]},
    "request": {"requestContext": {"http": {"method": "@", "path": "/@", "sourceIp": "@"}}, "version": "2.0"},
    "host": {
        "requestContext": {"http": {"method": "GET", "path": "/@", "sourceIp": ""}},
        "version": "2.0",
        "headers": {"host": "a:@"},
    },
    "stage": {
        "requestContext": {"http": {"method": "GET", "path": "/@/no", "sourceIp": ""}, "stage": "@"},
        "version": "2.0",
        "headers": {},
    },
    "proxy": {
        "resource": "/{proxy+}",
        "path": "/@",
        "httpMethod": "GET",
        "headers": {},
        "pathParameters": {"proxy": "@"},
        "requestContext": {},
    },
}

MANIFEST = json.loads(
    (ROOT / "tests" / "data" / "digits.bundle" / "manifest.json").read_text(encoding="utf-8")
)
ARTIFACT = MANIFEST["artifacts"][0]

MANIFESTS: dict[str, Any] = {
    "member": MANIFEST | {"@": 1},
    "version": MANIFEST | {"schema_version": "@"},
    "label": MANIFEST | {"labels": ["\n@", "b"]},
    "too few labels": MANIFEST | {"labels": ["@"], "name": "@"},
    "kinds": MANIFEST | {"artifacts": [ARTIFACT | {"kind": "@"}] * 2},
    "format": MANIFEST | {"artifacts": [ARTIFACT | {"format": "@"}]},
    "shape": MANIFEST
    | {"artifacts": [ARTIFACT | {"kind": "@", "input": ARTIFACT["input"] | {"shape": [1, "@"]}}]},
    "output": MANIFEST
    | {"artifacts": [ARTIFACT | {"kind": "@", "output": ARTIFACT["output"] | {"shape": [1, "@"]}}]},
    "no JSON": "@",
}

PROPERTY = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


def filled(content: Any, text: str) -> Any:
    """Puts the text in place of each ``@``; a message's body is a text of its own."""
    if isinstance(content, str):
        return content.replace("@", text)
    if isinstance(content, list):
        return [filled(one, text) for one in content]
    if isinstance(content, dict):
        found = {filled(key, text): filled(value, text) for key, value in content.items()}
        if isinstance(found.get("body"), dict):
            found["body"] = json.dumps(found["body"])
        return found
    return content


@pytest.fixture(scope="module")
def entry() -> str:
    return new_key("phone")[1]


@pytest.mark.parametrize("place", REQUESTS)
@given(text=TEXTS)
@PROPERTY
def test_no_answer_and_no_line_of_the_log_repeats_a_request(
    place: str, service: Service, entry: str, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    keys = from_text(entry) if place in ("key", "bearer") else None
    app = create_app(
        service, max_bytes=1_000_000, max_images=3, keys=keys, cors_origins=("https://a.test",), log="json"
    )
    capsys.readouterr()
    response = REQUESTS[place](app, text)
    assert len(response.content) < MAX_ANSWER
    assert sum(len(name) + len(value) for name, value in response.headers.raw) < MAX_ANSWER
    (line,) = capsys.readouterr().out.splitlines()
    assert len(line) < MAX_LINE
    assert response.status_code < 500


@pytest.mark.parametrize("place", EVENTS)
@given(text=TEXTS)
@PROPERTY
def test_no_answer_and_no_line_of_the_log_repeats_an_event(
    place: str, app: Starlette, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    capsys.readouterr()
    app.state.config = replace(app.state.config, results="s3://results/")
    handler = Handler(app)
    try:
        answer = handler(filled(EVENTS[place], text), None)
    except SnapshipError as error:
        # What Lambda answers and logs of it.
        answer = {"errorMessage": str(error), "errorType": type(error).__name__}
    assert len(json.dumps(answer)) < MAX_ANSWER
    for line in capsys.readouterr().out.splitlines():
        assert len(line) < MAX_LINE


@pytest.mark.parametrize("place", MANIFESTS)
@given(text=TEXTS)
@PROPERTY
def test_no_error_repeats_a_manifest(place: str, text: str) -> None:
    content = filled(MANIFESTS[place], text)
    data = content if isinstance(content, str) else json.dumps(content)
    with pytest.raises(SnapshipError) as caught:
        read_manifest(data.encode("utf-8", "surrogatepass"))
    assert len(str(caught.value)) < MAX_ANSWER
    assert "\n" not in str(caught.value)


@given(text=TEXTS)
@PROPERTY
def test_no_error_repeats_a_label_or_a_variable(text: str) -> None:
    for name in ("AUTH", "ENGINE", "THREADS", "S3_BUCKETS", "RESULTS", "CORS_ORIGINS", "BASE_PATH"):
        with pytest.raises(SnapshipError) as caught:
            AppConfig.read({"SNAPSHIP_BUNDLE": "b", f"SNAPSHIP_{name}": f"?{text}"})
        assert len(str(caught.value)) < MAX_ANSWER
    with pytest.raises(SnapshipError) as caught:
        parse_labels(f"{text}\n \nb")
    assert len(str(caught.value)) < MAX_ANSWER


def test_a_key_of_megabytes_is_no_answer_of_megabytes(service: Service) -> None:
    """Lambda gives up on an answer over 6 MB; JSON writes a control character as six."""
    app = create_app(service, max_bytes=20_000_000, max_images=3)
    key = "\x01" * 2_200_000
    assert len(json.dumps(Handler(app)({key: 1}, None))) < MAX_ANSWER
    body = msgspec.json.encode({key: 1}).decode()
    event = {
        "version": "2.0",
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": "/classify", "sourceIp": ""}},
        "body": body,
    }
    answer = Handler(app)(event, None)
    assert answer["statusCode"] == 422
    assert "characters left out" in answer["body"]
    assert len(json.dumps(answer)) < MAX_ANSWER
    assert len(request(json={"@": 1})(app, "k" * 5_000_000).content) < MAX_ANSWER


QUOTING = (
    *sorted((ROOT / "serverless" / "app").rglob("*.py")),
    *sorted((ROOT / "serverless" / "serving").glob("*.py")),
    ROOT / "serverless" / "aws.py",
    *(
        ROOT / "edge_runtime" / f"{name}.py"
        for name in ("common/errors", "bundle/manifest", "bundle/labels", "bundle/store", "options")
    ),
)


@pytest.mark.parametrize("file", QUOTING, ids=lambda file: str(file.relative_to(ROOT)))
def test_what_is_quoted_goes_through_the_one_function(file: Path) -> None:
    """``{text!r}`` and ``{text[:100]}`` in a message are what it is there for."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r"):
            # Of a module's attribute that is not there: the programmer's own.
            assert "__getattr__" in file.read_text(encoding="utf-8"), f"{file.name}:{node.lineno} uses !r"
        if isinstance(node, ast.FormattedValue) and isinstance(node.value, ast.Subscript):
            assert not isinstance(node.value.slice, ast.Slice), f"{file.name}:{node.lineno} cuts by itself"

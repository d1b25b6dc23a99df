"""Whatever JSON arrives: the function answers or raises an error of ours, of one line."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from edge_runtime.common.errors import SnapshipError
from serverless.app.entry import Handler

NAMES = st.sampled_from(
    [
        "Records", "eventSource", "EventSource", "eventName", "s3", "bucket", "object", "key", "size", "name",
        "versionId", "messageId", "body", "eventSourceARN", "detail-type", "detail", "source", "Event", "warmup",
        "selftest", "image", "images", "top_k", "score_threshold", "requestContext", "resource", "version", "http",
        "elb", "method", "httpMethod", "path", "headers", "stage", "isBase64Encoded",
    ]
)  # fmt: skip

WORDS = st.sampled_from(
    [
        "aws:s3",
        "aws:sqs",
        "aws.s3",
        "Object Created",
        "ObjectCreated:Put",
        "Scheduled Event",
        "s3:TestEvent",
        "AA==",
    ]
)

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    # Half characters too, which JSON can write.
    | st.text(st.characters(), max_size=20)
    | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)

RECORD = st.fixed_dictionaries(
    {"eventSource": st.sampled_from(["aws:s3", "aws:sqs"])},
    optional={
        "eventName": WORDS | JSON,
        "s3": JSON | st.fixed_dictionaries({"bucket": JSON, "object": JSON}),
        "messageId": st.text(max_size=5) | JSON,
        "body": st.text(max_size=20) | JSON,
        "eventSourceARN": JSON,
    },
)

# As a gateway's, with one part or another of it mangled.
REQUEST = st.fixed_dictionaries(
    {
        "requestContext": st.fixed_dictionaries(
            {},
            optional={
                "http": JSON
                | st.fixed_dictionaries(
                    {"method": st.just("POST") | JSON, "path": WORDS | JSON, "sourceIp": JSON}
                ),
                "elb": JSON,
                "stage": WORDS | JSON,
                "identity": JSON,
            },
        )
        | JSON
    },
    optional={
        "version": st.just("2.0") | JSON,
        "resource": JSON,
        "httpMethod": st.just("GET") | JSON,
        "path": st.just("/labels") | JSON,
        "headers": st.dictionaries(st.text(max_size=5), WORDS | JSON, max_size=2) | JSON,
        "multiValueHeaders": st.dictionaries(st.text(max_size=5), st.lists(WORDS), max_size=2) | JSON,
        "queryStringParameters": JSON,
        "rawQueryString": st.text(max_size=5) | JSON,
        "cookies": JSON,
        "body": st.text(max_size=20) | JSON,
        "isBase64Encoded": JSON,
    },
)

EVENTS = JSON | st.fixed_dictionaries({"Records": st.lists(RECORD, min_size=1, max_size=3)}) | REQUEST


@given(event=EVENTS)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_handler_survives_any_json(app: Starlette, event: Any) -> None:
    told, answer = "", None
    try:
        answer = Handler(app)(event, None)
    except SnapshipError as error:
        told = str(error)
    assert isinstance(answer, dict) or told
    # A failure of the server is none of theirs.
    assert not isinstance(answer, dict) or answer.get("statusCode", 200) < 500
    assert "\n" not in told
    assert len(told) < 2000


@given(body=st.text(max_size=40) | st.binary(max_size=20).map(lambda data: data.decode("latin-1")))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_message_of_any_text_fails_alone(app: Starlette, body: str) -> None:
    record = {"messageId": "m", "body": body, "eventSource": "aws:sqs"}
    assert Handler(app)({"Records": [record]}, None) == {"batchItemFailures": [{"itemIdentifier": "m"}]}


@pytest.mark.parametrize("image", ["\ud800", "data:\udfff"])
def test_half_a_character_is_a_problem(app: Starlette, image: str) -> None:
    assert Handler(app)({"image": image}, None)["status"] == 422

"""Objects in S3 become results in S3, on a server that speaks its HTTP."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from edge_runtime import Classifier, SnapshipError
from serverless.app.core.http_problems import ForbiddenError
from serverless.app.entry import Handler
from serverless.app.events import s3_objects

CONTEXT = SimpleNamespace(aws_request_id="aws-1")

Load = Callable[..., Handler]
Read = Callable[[str, str], Any]
Event = Callable[..., dict[str, Any]]
Log = Callable[[], list[dict[str, Any]]]


def keys(s3: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def test_a_new_object_has_its_result_beside_it(
    function: Load,
    s3: Any,
    read: Read,
    put_event: Event,
    pictures: list[bytes],
    digits_bundle: Path,
    log: Log,
) -> None:
    s3.put_object(Bucket="pets", Key="digit 3.png", Body=pictures[3])
    assert function()(put_event("digit+3.png", size=len(pictures[3])), CONTEXT) == {"written": 1}
    found = read("pets", "digit 3.png.json")
    with Classifier.open(digits_bundle, "tflite-fp32") as classifier:
        expected = classifier.classify(pictures[3]).to_dict()
    assert found["label"] == expected["label"]
    assert [entry["score"] for entry in found["predictions"]] == pytest.approx(
        [entry["score"] for entry in expected["predictions"]], abs=1e-6
    )
    assert found["source"] == {"bucket": "pets", "key": "digit 3.png"}
    assert found["model"] == {"name": "digits", "artifact": "tflite-fp32"}
    assert set(found["timing_ms"]) == {"read", "classify"}
    (line,) = log()
    assert (line["kind"], line["status"], line["request_id"]) == ("s3", 200, "aws-1")
    assert (line["label"], line["bytes"], line["images"]) == (expected["label"], len(pictures[3]), 1)


@pytest.mark.parametrize("key", ["a+b.png", "ordner/größe ü.png", "100%25.png", "x'\"&<>.png"])
def test_keys_of_every_kind(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], key: str
) -> None:
    from urllib.parse import quote_plus

    s3.put_object(Bucket="pets", Key=key, Body=pictures[1])
    function()(put_event(quote_plus(key, safe="/")), CONTEXT)
    assert read("pets", f"{key}.json")["label"] == "1"


def test_results_go_to_their_prefix_and_raise_no_event_of_their_own(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes], log: Log
) -> None:
    handler = function(SNAPSHIP_RESULTS="s3://pets/answers/")
    s3.put_object(Bucket="pets", Key="in/4.png", Body=pictures[4])
    handler(put_event("in/4.png"), CONTEXT)
    assert read("pets", "answers/pets/in/4.png.json")["label"] == "4"
    before = keys(s3, "pets")
    log()
    # What S3 sends when the result is written, and again when that were answered.
    for key in ("answers/pets/in/4.png.json", "answers/4.png", "4.png.json"):
        assert handler(put_event(key), CONTEXT) == {"written": 0}
    assert keys(s3, "pets") == before
    assert [line["status"] for line in log()] == [204, 204, 204]


def test_an_event_of_eventbridge(function: Load, s3: Any, read: Read, pictures: list[bytes]) -> None:
    s3.put_object(Bucket="pets", Key="a+b %20.png", Body=pictures[2])
    detail = {"bucket": {"name": "pets"}, "object": {"key": "a+b %20.png", "size": len(pictures[2])}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail}
    function(SNAPSHIP_RESULTS="s3://results")(event, CONTEXT)
    assert read("results", "pets/a+b %20.png.json")["label"] == "2"


def test_the_version_of_the_event_is_classified(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes]
) -> None:
    s3.put_bucket_versioning(Bucket="pets", VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket="pets", Key="x.png", Body=pictures[0])["VersionId"]
    s3.put_object(Bucket="pets", Key="x.png", Body=pictures[5])
    handler = function()
    handler(put_event("x.png"), CONTEXT)
    assert read("pets", "x.png.json")["label"] == "5"
    handler(put_event("x.png", versionId=first), CONTEXT)
    assert read("pets", "x.png.json")["label"] == "0"
    assert read("pets", "x.png.json")["source"]["version_id"] == first


def test_a_bad_image_is_a_result_and_no_retry(
    function: Load, s3: Any, read: Read, put_event: Event, log: Log
) -> None:
    s3.put_object(Bucket="pets", Key="notes.png", Body=b"I am a text")
    function()(put_event("notes.png"), CONTEXT)
    found = read("pets", "notes.png.json")
    assert found["error"]["status"] == 415
    assert "I am a text" in found["error"]["detail"]
    assert found["source"]["key"] == "notes.png"
    (line,) = log()
    assert (line["status"], line["error"]) == (415, "ImageFormatError")
    assert "I am a text" not in json.dumps(line)


def test_a_large_object_is_refused_without_its_download(
    function: Load, s3: Any, read: Read, put_event: Event, log: Log
) -> None:
    handler = function(SNAPSHIP_MAX_BYTES="1000")
    # Not there at all: by the size in the event alone.
    handler(put_event("huge.png", size=2_000), CONTEXT)
    found = read("pets", "huge.png.json")
    assert found["error"]["status"] == 413
    assert "1,000 bytes. Received: 2,000" in found["error"]["detail"]
    # And by S3's word, if the event has none or a wrong one.
    s3.put_object(Bucket="pets", Key="large.png", Body=b"x" * 3_000)
    for told in ({}, {"size": 10}):
        handler(put_event("large.png", **told), CONTEXT)
        assert "Received: 3,000" in read("pets", "large.png.json")["error"]["detail"]
    assert log()[-1]["bytes"] == 3_000


def test_an_object_may_be_larger_than_what_lambda_brings_in_a_request(
    function: Load, s3: Any, read: Read, put_event: Event
) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (1300, 1300)).save(buffer, "BMP")
    s3.put_object(Bucket="pets", Key="large.bmp", Body=buffer.getvalue())
    handler = function(AWS_LAMBDA_FUNCTION_NAME="digits")
    handler(put_event("large.bmp", size=len(buffer.getvalue())), CONTEXT)
    assert read("pets", "large.bmp.json")["label"]


def test_another_bucket_is_refused(
    function: Load, s3: Any, put_event: Event, pictures: list[bytes], log: Log
) -> None:
    s3.put_object(Bucket="results", Key="0.png", Body=pictures[0])
    with pytest.raises(ForbiddenError, match="Received: 'results', allowed: pets"):
        function()(put_event("0.png", "results"), CONTEXT)
    assert keys(s3, "results") == ["0.png"]
    with pytest.raises(ForbiddenError, match="allowed: none"):
        function(SNAPSHIP_S3_BUCKETS="")(put_event("0.png", "results"), CONTEXT)
    assert [line["status"] for line in log()] == [403, 403]


def test_what_aws_does_not_do_is_raised_so_that_lambda_retries(
    function: Load,
    s3: Any,
    put_event: Event,
    pictures: list[bytes],
    log: Log,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    s3.put_object(Bucket="pets", Key="0.png", Body=pictures[0])
    with pytest.raises(SnapshipError, match="nowhere"):
        function(SNAPSHIP_RESULTS="s3://nowhere/x/")(put_event("0.png"), CONTEXT)
    with pytest.raises(SnapshipError):
        function(SNAPSHIP_S3_BUCKETS="gone")(put_event("0.png", "gone"), CONTEXT)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3_objects.s3.cache_clear()
    with pytest.raises(SnapshipError, match=r"127\.0\.0\.1:9"):
        function()(put_event("0.png"), CONTEXT)
    assert [(line["status"], line["Errors"], line["level"]) for line in log()] == [(500, 1, "ERROR")] * 3


def test_an_object_that_was_deleted_since_is_left(
    function: Load, s3: Any, put_event: Event, log: Log
) -> None:
    assert function()(put_event("gone.png"), CONTEXT) == {"written": 0}
    assert keys(s3, "pets") == []
    (line,) = log()
    assert line["status"] == 404


def test_one_object_that_fails_does_not_keep_the_others(
    function: Load, s3: Any, read: Read, put_event: Event, pictures: list[bytes]
) -> None:
    event = put_event("0.png", "forbidden")
    event["Records"] += put_event("1.png")["Records"]
    s3.put_object(Bucket="pets", Key="1.png", Body=pictures[1])
    with pytest.raises(ForbiddenError):
        function()(event, CONTEXT)
    assert read("pets", "1.png.json")["label"] == "1"


def test_the_client_is_made_once(function: Load, s3: Any, put_event: Event, pictures: list[bytes]) -> None:
    handler = function()
    s3.put_object(Bucket="pets", Key="0.png", Body=pictures[0])
    handler({"warmup": True}, CONTEXT)
    assert s3_objects.s3.cache_info().currsize == 0
    for _ in range(3):
        handler(put_event("0.png"), CONTEXT)
    assert s3_objects.s3.cache_info().misses == 1

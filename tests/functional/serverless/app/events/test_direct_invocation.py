"""What reaches the function without HTTP and without AWS's help: direct invocations, warm-ups."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import MANIFEST_FILE
from edge_runtime.golden import GOLDEN_FILE
from serverless.app.entry import Handler, load_handler

EVENTS = Path(__file__).parents[2] / "events"

CONTEXT = SimpleNamespace(aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd")


def text(image: bytes) -> str:
    return base64.b64encode(image).decode()


def sam(name: str) -> Any:
    return json.loads((EVENTS / "sam" / f"{name}.json").read_text(encoding="utf-8"))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def handler(digits_bundle: Path) -> Handler:
    return load_handler(
        {
            "SNAPSHIP_BUNDLE": str(digits_bundle),
            "SNAPSHIP_ARTIFACT": "tflite-fp32",
            "SNAPSHIP_MAX_IMAGES": "4",
            "SNAPSHIP_MAX_BYTES": "200000",
            "SNAPSHIP_METRICS_NAMESPACE": "own",
        }
    )


def without_times(answer: dict[str, Any]) -> dict[str, Any]:
    timing = answer.pop("timing_ms")
    assert set(timing) == {"read", "classify"}
    return answer


@pytest.mark.parametrize("options", [{}, {"top_k": 2}, {"score_threshold": 0.5}])
def test_direct_gives_the_json_of_http(
    handler: Handler, images: list[bytes], options: dict[str, Any]
) -> None:
    for body in ({"image": text(images[2])}, {"images": [text(images[0]), text(b"no image"), "%%"]}):
        event = json.loads((EVENTS / "function_url.json").read_text(encoding="utf-8"))
        event["headers"]["content-type"] = "application/json"
        event |= {"body": json.dumps(body | options), "isBase64Encoded": False, "rawQueryString": ""}
        by_http = json.loads(handler(event, CONTEXT)["body"])
        direct = handler(body | options, CONTEXT)
        assert without_times(direct) == without_times(by_http)


def test_direct_names_what_the_classifier_does(
    handler: Handler, classifier: Classifier, images: list[bytes]
) -> None:
    for image in images:
        answer = handler({"image": text(image)}, CONTEXT)
        assert answer["label"] == classifier.classify(image).top.label
        assert answer["score"] == pytest.approx(classifier.classify(image).top.score, abs=1e-6)
        json.dumps(answer)


@pytest.mark.parametrize(
    ("event", "status", "words"),
    [
        ({"image": text(b"I am a text")}, 415, "I am a text"),
        ({"image": "%%%"}, 422, "base64"),
        ({"image": ""}, 400, "0 bytes"),
        ({"image": "AA", "images": ["AA"]}, 422, "both"),
        ({"images": []}, 422, "1 to 4"),
        ({"images": ["AA"] * 5}, 422, "1 to 4"),
        ({"image": "AA", "top_k": 0}, 422, "top_k"),
        ({"image": "AA", "score_threshold": 2}, 422, "score_threshold"),
        ({"picture": "AA"}, 422, "picture"),
        ({"image": text(b"x" * 200_001)}, 413, "200,000"),
        ({"selftest": "yes"}, 422, "selftest"),
    ],
)
def test_bad_input_is_a_returned_problem(
    handler: Handler, capsys: pytest.CaptureFixture[str], event: dict[str, Any], status: int, words: str
) -> None:
    problem = handler(event, CONTEXT)
    assert problem["status"] == status
    assert words in problem["detail"]
    assert problem["request_id"] == CONTEXT.aws_request_id
    (line,) = lines(capsys)
    assert (line["kind"], line["status"], line["Errors"]) == ("direct", status, 0)
    # Nothing of what was sent.
    assert "I am a text" not in json.dumps(line)


def test_each_event_is_one_line_of_the_log(
    handler: Handler, images: list[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    answer = handler({"image": text(images[1])}, CONTEXT)
    (line,) = lines(capsys)
    assert line["kind"] == "direct"
    assert line["request_id"] == CONTEXT.aws_request_id
    assert (line["label"], line["width"], line["height"], line["images"]) == (answer["label"], 8, 8, 1)
    assert line["score"] == pytest.approx(answer["score"], abs=1e-4)
    assert line["total_ms"] >= line["classify_ms"] > 0
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "own"
    assert text(images[1])[:40] not in json.dumps(line)


@pytest.mark.parametrize("event", [{"warmup": True}, sam("cloudwatch_scheduled_event")])
def test_a_warm_up_runs_the_model(
    handler: Handler, capsys: pytest.CaptureFixture[str], event: dict[str, Any]
) -> None:
    answer = handler(event, CONTEXT)
    assert answer["warm"] is True
    assert answer["classify_ms"] > 0
    (line,) = lines(capsys)
    assert line["kind"] == "warmup"
    # No request of anybody's.
    assert "_aws" not in line


def test_the_selftest_passes_on_a_sound_bundle(handler: Handler, digits_bundle: Path) -> None:
    found = handler({"selftest": True}, CONTEXT)
    assert found["passed"] is True
    assert found["selftest"] == "passed"
    assert found["examples"] == len(list((digits_bundle / "golden").glob("*.png")))
    assert (found["bundle"], found["artifact"], found["engine"]) == ("digits", "tflite-fp32", "litert")


def test_the_selftest_fails_with_its_reason_on_other_scores(
    own_digits_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = own_digits_bundle / GOLDEN_FILE
    golden = json.loads(file.read_text(encoding="utf-8"))
    scores = golden["examples"][2]["scores"]["tflite-fp32"]
    scores[0], scores[1] = scores[1] + 0.2, scores[0]
    file.write_text(json.dumps(golden), encoding="utf-8")
    manifest = own_digits_bundle / MANIFEST_FILE
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["golden"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    manifest.write_text(json.dumps(content), encoding="utf-8")
    broken = load_handler({"SNAPSHIP_BUNDLE": str(own_digits_bundle), "SNAPSHIP_ARTIFACT": "tflite-fp32"})
    found = broken({"selftest": True}, CONTEXT)
    assert (found["passed"], found["selftest"]) == (False, "failed")
    assert "golden/2.png at scores" in found["detail"]
    (line,) = lines(capsys)
    assert (line["level"], line["Errors"]) == ("ERROR", 1)


def test_the_selftest_of_a_bundle_without_examples_says_so(own_digits_bundle: Path) -> None:
    manifest = own_digits_bundle / MANIFEST_FILE
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["golden"] = None
    manifest.write_text(json.dumps(content), encoding="utf-8")
    found = load_handler({"SNAPSHIP_BUNDLE": str(own_digits_bundle)})({"selftest": True}, None)
    assert (found["passed"], found["selftest"], found["examples"]) == (True, "none", 0)


HTTP = {
    "apigateway_aws_proxy": "path",
    "apigateway_http_api_proxy": "rawPath",
    "alb_request": "path",
}


@pytest.mark.parametrize("name", HTTP)
def test_sams_own_http_events(handler: Handler, images: list[bytes], name: str) -> None:
    """As generated: an unknown path. With our path and an image: an answer."""
    event = sam(name)
    assert handler(event, CONTEXT)["statusCode"] == 404
    event |= {HTTP[name]: "/classify", "body": text(images[3]), "isBase64Encoded": True, "httpMethod": "POST"}
    event |= {"queryStringParameters": {}, "multiValueQueryStringParameters": {}, "rawQueryString": ""}
    if HTTP[name] == "rawPath":
        event["requestContext"]["http"]["path"] = "/classify"
    assert json.loads(handler(event, CONTEXT)["body"])["label"] == "3"


@pytest.mark.parametrize("kind", ["function_url", "apigateway_v1"])
def test_the_page_is_text_with_its_policy(handler: Handler, kind: str) -> None:
    event = json.loads((EVENTS / f"{kind}.json").read_text(encoding="utf-8"))
    event |= {"body": None, "isBase64Encoded": False}
    if kind == "function_url":
        event["rawPath"] = event["requestContext"]["http"]["path"] = "/"
        event["requestContext"]["http"]["method"] = "GET"
    else:
        event |= {"path": "/", "resource": "/", "httpMethod": "GET"}
    answer = handler(event, CONTEXT)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["body"].startswith("<!doctype html>")
    told = {name.lower(): value for name, value in answer["headers"].items()} if answer.get("headers") else {
        name.lower(): values[0] for name, values in answer["multiValueHeaders"].items()
    }  # fmt: skip
    assert "default-src 'none'" in told["content-security-policy"]


WARM = """
import sys
from serverless.app import handler
before = set(sys.modules)
assert handler({"warmup": True}, None)["warm"]
print(sorted(name for name in set(sys.modules) - before if "events" in name or "boto" in name))
"""


def test_an_event_loads_only_its_own_kind(digits_bundle: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WARM],
        capture_output=True,
        text=True,
        env={**os.environ, "SNAPSHIP_BUNDLE": str(digits_bundle)},
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1]
    assert "serverless.app.events.warmup" in loaded
    for other in ("s3", "sqs", "objects", "boto"):
        assert f"events.{other}'" not in loaded
    assert "boto" not in loaded

"""The package under AWS's own runtime client and emulator, with nothing else in its Python."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import Classifier
from serverless.aws import client as aws_client
from serverless.deploy.package.interpreters import Interpreter

ROOT = Path(__file__).resolve().parents[4]
EVENTS = ROOT / "tests" / "functional" / "serverless" / "events"
HTTP_KINDS = ("apigateway_v1", "apigateway_v2", "function_url", "alb", "alb_multi_value")

Invoke = Callable[[Any], Any]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator is a Linux program"),
]

# All of the file system but /tmp becomes read-only, and so does the package, which lies in /tmp here.
READ_ONLY = """
set -e
mount --make-rprivate /
mount --bind / / && mount --bind /tmp /tmp && mount --bind "$1" "$1"
mount -o remount,bind,ro "$1" && mount -o remount,bind,ro /
shift
cd "$1" && shift
exec "$@"
"""


def http_event(kind: str, image: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{kind}.json").read_text())
    return {**event, "body": base64.b64encode(image).decode()}


def test_every_kind_of_http_event_gives_the_scores_of_the_classifier(
    function: Invoke, digits_bundle: Path, images: list[bytes]
) -> None:
    ids = set()
    with Classifier.open(digits_bundle, "tflite-int8") as classifier:
        for kind, image in zip(HTTP_KINDS, images, strict=False):
            answer = function(http_event(kind, image))
            assert answer["statusCode"] == 200, answer
            found = json.loads(answer["body"])
            expected = classifier.classify(image, 3)
            assert [entry["label"] for entry in found["predictions"]] == [
                entry.label for entry in expected.predictions
            ]
            assert found["score"] == pytest.approx(expected.top.score, abs=1e-6)
            headers = answer.get("headers") or answer["multiValueHeaders"]
            ids.add(str(headers["x-request-id"]))
    # Lambda's own ids: one for each invocation, with dashes, which our random ones have not.
    assert len(ids) == len(HTTP_KINDS)
    assert all(id.count("-") == 4 for id in ids)


def test_schedules_and_direct_invocations_are_answered(function: Invoke, images: list[bytes]) -> None:
    scheduled = {"source": "aws.events", "detail-type": "Scheduled Event", "resources": [], "detail": {}}
    assert function(scheduled)["warm"] is True
    assert function({"warmup": True})["warm"] is True
    encoded = [base64.b64encode(image).decode() for image in images]
    assert function({"image": encoded[0], "top_k": 2})["label"] == "0"
    found = function({"selftest": True})
    assert (found["passed"], found["selftest"], found["examples"]) == (True, "passed", len(images))
    answers = function({"images": encoded})["results"]
    assert [entry["label"] for entry in answers] == [str(digit) for digit in range(len(images))]


def test_a_batch_of_messages_fails_in_part(function: Invoke, images: list[bytes]) -> None:
    event = json.loads((EVENTS / "sam" / "sqs_receive_message.json").read_text())
    (record,) = event["Records"]
    image = base64.b64encode(images[0]).decode()
    good = {**record, "messageId": "good", "body": json.dumps({"image": image})}
    bad = {**record, "messageId": "bad", "body": "no JSON"}
    assert function({"Records": [good, bad, good]}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}


def test_an_object_in_a_bucket_is_answered_beside_it(
    start: Callable[..., Invoke], moto: str, sdk: Path, images: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    account = {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    for name, value in {
        **account,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    s3 = aws_client("s3")
    s3.create_bucket(Bucket="photos")
    s3.put_object(Bucket="photos", Key="in box/five.png", Body=images[5])
    event = json.loads((EVENTS / "sam" / "s3_put.json").read_text())
    found = event["Records"][0]["s3"]
    found["bucket"]["name"], found["object"]["key"] = "photos", "in+box/five.png"
    invoke = start(beside=(sdk,), SNAPSHIP_S3_BUCKETS="photos", **account)
    assert "errorType" not in invoke(event)
    answer = json.loads(s3.get_object(Bucket="photos", Key="in box/five.png.json")["Body"].read())
    assert answer["label"] == "5"
    # The same by EventBridge, which does not encode the key.
    s3.put_object(Bucket="photos", Key="in box/four + one.png", Body=images[4])
    event = json.loads((EVENTS / "s3_eventbridge.json").read_text())
    event["detail"]["bucket"]["name"] = "photos"
    event["detail"]["object"] = {"key": "in box/four + one.png", "size": len(images[4])}
    assert invoke(event) == {"written": 1}
    answer = json.loads(s3.get_object(Bucket="photos", Key="in box/four + one.png.json")["Body"].read())
    assert answer["label"] == "4"


def test_nothing_but_the_package_and_lambdas_own_is_imported(
    root: Path, client: Path, interpreter: Interpreter, function: Invoke
) -> None:
    found = function({"do": "modules"})
    assert found["blas"] == "1"
    standard = Path(
        subprocess.check_output([interpreter.path, "-I", "-c", "import os; print(os.__file__)"], text=True)
    ).parent
    allowed = (root, client, standard)
    assert found["files"]
    strange = [
        file
        for file in found["files"]
        if not any(Path(file).is_relative_to(place) for place in allowed) or "site-packages" in file
    ]
    assert not strange
    assert any(Path(file).is_relative_to(root / "numpy") for file in found["files"])


def test_a_line_is_logged_for_each_event_and_no_image(
    start: Callable[..., Invoke], images: list[bytes], tmp_path: Path
) -> None:
    log = tmp_path / "log.txt"
    function = start(log=log)
    event = http_event("function_url", images[4])
    ids = [function(event)["headers"]["x-request-id"], function(event)["headers"]["x-request-id"]]
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [line["request_id"] for line in lines] == ids
    assert [line["cold_start"] for line in lines] == [True, False]
    assert event["body"][:40] not in text


def test_a_bad_image_is_a_problem_and_an_unknown_event_an_error(
    function: Invoke, works: Callable[[Invoke], bool]
) -> None:
    assert function(http_event("function_url", b"no image"))["statusCode"] == 415
    assert function({"Records": [{"eventSource": "aws:dynamodb"}]})["errorType"] == "UsageError"
    assert function({"requestContext": {}})["statusCode"] == 422
    assert works(function)


def test_a_timeout_ends_the_invocation_and_not_the_function(
    start: Callable[..., Invoke], works: Callable[[Invoke], bool]
) -> None:
    function = start(handler="pitfalls.handler", AWS_LAMBDA_FUNCTION_TIMEOUT="3")
    assert "Task timed out after 3.00 seconds" in function({"do": "sleep"})
    assert works(function)


def test_an_answer_over_lambdas_limit_is_refused(function: Invoke, works: Callable[[Invoke], bool]) -> None:
    assert function({"do": "answer", "bytes": 7_000_000})["errorType"] == "Function.ResponseSizeTooLarge"
    assert works(function)


def test_a_request_over_lambdas_limit_is_an_error(function: Invoke, works: Callable[[Invoke], bool]) -> None:
    # The emulator cuts it off where AWS answers 413; either way the function never sees an image.
    answer = function(http_event("function_url", b"\xff" * 5_500_000))
    assert answer["errorType"] == "Runtime.UnmarshalError", answer
    assert works(function)


def test_a_crash_is_told_and_the_next_invocation_starts_anew(
    function: Invoke, works: Callable[[Invoke], bool]
) -> None:
    assert function({"do": "exit"})["errorType"] == "Runtime.ExitError"
    assert works(function)


def test_a_read_only_file_system_is_enough(
    start: Callable[..., Invoke], root: Path, images: list[bytes], tmp_path: Path
) -> None:
    isolated = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if shutil.which("unshare") is None or subprocess.run([*isolated, "true"], check=False).returncode != 0:
        pytest.skip("needs mount namespaces, which this machine does not allow")
    before = sorted(root.rglob("*"))
    invoke = start(
        *isolated, "sh", "-c", READ_ONLY, "sh", str(root), str(tmp_path), handler="pitfalls.handler"
    )
    for kind, image in zip(HTTP_KINDS, images, strict=False):
        assert invoke(http_event(kind, image))["statusCode"] == 200
    assert invoke({"do": "write", "path": f"{root}/x"}) == "EROFS"
    assert invoke({"do": "write", "path": "/var/x"}) == "EROFS"
    assert invoke({"do": "write", "path": f"/tmp/snapship-{os.getpid()}"}) == "written"
    Path(f"/tmp/snapship-{os.getpid()}").unlink()
    assert sorted(root.rglob("*")) == before


def test_a_missing_bundle_and_a_wrong_variable_are_init_errors(start: Callable[..., Invoke]) -> None:
    answer = start(SNAPSHIP_BUNDLE="gone.bundle")({})
    assert answer["errorType"] == "BundleError"
    assert "gone.bundle" in answer["errorMessage"]
    answer = start(SNAPSHIP_THREADS="many")({})
    assert "SNAPSHIP_THREADS" in answer["errorMessage"]

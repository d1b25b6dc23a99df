"""The handler under AWS's own runtime interface client and emulator.

Needs ``pip install awslambdaric`` beside the project, and the emulator: the program
``aws-lambda-rie`` on the PATH, the package aws-sam-cli (its wheel holds it), or its
path in SNAPSHIP_TEST_RIE.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_runtime import Classifier

ROOT = Path(__file__).resolve().parents[3]

EVENTS = ROOT / "tests" / "functional" / "serverless" / "events"

KINDS = ("apigateway_v1", "apigateway_v2", "function_url", "alb", "alb_multi_value")

START_SECONDS = 20

Invoke = Callable[[Any], Any]


def emulator() -> str | None:
    named = os.environ.get("SNAPSHIP_TEST_RIE") or shutil.which("aws-lambda-rie")
    sam = find_spec("samcli")
    if named or sam is None or sam.origin is None:
        return named
    machine = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
    path = Path(sam.origin).parent / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    return str(path) if path.is_file() else None


pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the emulator is a Linux program"),
    pytest.mark.skipif(
        find_spec("awslambdaric") is None, reason="needs awslambdaric, which is not installed"
    ),
    pytest.mark.skipif(emulator() is None, reason="needs AWS's emulator: aws-lambda-rie or aws-sam-cli"),
]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Callable[..., Invoke]]:
    """Starts a function with variables of its own and returns how to invoke it."""
    processes: list[subprocess.Popen[bytes]] = []

    def start(**variables: str) -> Invoke:
        program = emulator()
        assert program is not None
        door, api = free_port(), free_port()
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{door}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{api}"]
        client = [sys.executable, "-m", "awslambdaric", "serverless.app.handler"]
        # A copy that may be run; the wheel's is not always executable.
        copy = tmp_path / f"rie-{door}"
        shutil.copy(program, copy)
        copy.chmod(0o755)
        paths = [str(ROOT), *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
        process = subprocess.Popen(
            [str(copy), "--log-level", "error", *addresses, *client],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(paths),
                "LAMBDA_TASK_ROOT": str(tmp_path),
                "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
                **variables,
            },
            start_new_session=True,
        )
        processes.append(process)
        url = f"http://127.0.0.1:{door}/2015-03-31/functions/function/invocations"
        end = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", door)) == 0:
                    break
            assert time.monotonic() < end, "the emulator did not start"
            time.sleep(0.05)
        return lambda event: httpx.post(url, json=event, timeout=60).json()

    yield start
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_every_kind_of_event_gives_the_scores_of_the_classifier(
    function: Callable[..., Invoke], digits_bundle: Path
) -> None:
    invoke = function(SNAPSHIP_BUNDLE=str(digits_bundle), SNAPSHIP_ARTIFACT="tflite-int8")
    images = [path.read_bytes() for path in sorted((digits_bundle / "golden").glob("*.png"))]
    with Classifier.open(digits_bundle, "tflite-int8") as classifier:
        ids = set()
        for kind, image in zip(KINDS, images, strict=False):
            event = json.loads((EVENTS / f"{kind}.json").read_text())
            event["body"] = base64.b64encode(image).decode()
            answer = invoke(event)
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
        assert len(ids) == len(KINDS)
        assert all(id.count("-") == 4 for id in ids)


def test_a_bad_image_and_another_event_do_not_end_the_function(
    function: Callable[..., Invoke], digits_bundle: Path
) -> None:
    invoke = function(SNAPSHIP_BUNDLE=str(digits_bundle))
    event = json.loads((EVENTS / "function_url.json").read_text())
    assert invoke({**event, "body": base64.b64encode(b"no image").decode()})["statusCode"] == 415
    assert invoke({"Records": []})["errorType"] == "UsageError"
    image = sorted((digits_bundle / "golden").glob("*.png"))[0].read_bytes()
    assert invoke({**event, "body": base64.b64encode(image).decode()})["statusCode"] == 200


def test_a_missing_bundle_is_the_functions_init_error(
    function: Callable[..., Invoke], tmp_path: Path
) -> None:
    answer = function(SNAPSHIP_BUNDLE="gone.bundle")({})
    assert answer["errorType"] == "BundleError"
    assert "gone.bundle" in answer["errorMessage"]
    answer = function(SNAPSHIP_BUNDLE="x", SNAPSHIP_THREADS="many")({})
    assert "SNAPSHIP_THREADS" in answer["errorMessage"]

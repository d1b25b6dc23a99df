"""What deploy and invoke send to a function, answered by the function itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import Classifier
from serverless.app.entry import Handler, load_handler
from serverless.deploy.manage.invoking import event_of
from serverless.deploy.stack.versions import NOTHING_COMPARED, SELFTEST, selftest_result


@pytest.fixture(scope="module")
def handler(digits_bundle: Path) -> Handler:
    return load_handler({"SNAPSHIP_BUNDLE": str(digits_bundle), "SNAPSHIP_ARTIFACT": "tflite-fp32"})


def answered(handler: Handler, event: Any) -> bytes:
    """As Lambda hands it on."""
    return json.dumps(handler(json.loads(json.dumps(event)), None)).encode()


def test_the_selftest_of_a_sound_bundle_is_passed(handler: Handler) -> None:
    trial = selftest_result(answered(handler, SELFTEST))
    assert (trial.passed, trial.detail) == (True, "")


def test_a_selftest_that_compared_nothing_says_so(own_digits_bundle: Path) -> None:
    manifest = own_digits_bundle / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["golden"] = None
    manifest.write_text(json.dumps(content), encoding="utf-8")
    trial = selftest_result(answered(load_handler({"SNAPSHIP_BUNDLE": str(own_digits_bundle)}), SELFTEST))
    assert (trial.passed, trial.detail) == (True, NOTHING_COMPARED)


@pytest.mark.parametrize(
    ("body", "failed", "words"),
    [
        (b'{"passed": false, "detail": "scores\\ndiffer."}', False, "scores differ"),
        (b'{"errorType": "BundleError", "errorMessage": "gone"}', True, "BundleError: gone"),
        (b'{"passed": true}', True, "not the answer of a self-test"),
        (b'{"passed": "yes"}', False, "not the answer of a self-test"),
        (b'{"selftest": true}', False, "not the answer of a self-test"),
        (b"[true]", False, "not the answer of a self-test"),
        (b"", False, "not the answer of a self-test"),
        (b"\xff", False, "not the answer of a self-test"),
        (b"null", False, "not the answer of a self-test"),
    ],
)
def test_anything_else_is_no_pass(body: bytes, failed: bool, words: str) -> None:
    trial = selftest_result(body, failed=failed, log="U1RBUlQgMQpJbXBvcnRFcnJvcjogeApFTkQgMQo=")
    assert not trial.passed
    assert words in trial.detail
    assert "\n" not in trial.detail
    if "differ" not in words:
        assert trial.detail.endswith("its log: ImportError: x")


def test_an_invocation_gives_the_classifiers_answer(
    handler: Handler, classifier: Classifier, images: list[bytes]
) -> None:
    found = json.loads(answered(handler, event_of(images[3], 2)))
    expected = classifier.classify(images[3], 2)
    assert [entry["label"] for entry in found["predictions"]] == [one.label for one in expected.predictions]
    assert found["predictions"][0]["score"] == pytest.approx(expected.top.score, abs=1e-6)
    # What invoke takes for a refusal.
    assert json.loads(answered(handler, event_of(b"no image", None)))["status"] == 415

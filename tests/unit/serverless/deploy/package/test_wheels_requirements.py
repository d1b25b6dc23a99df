from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from serverless.deploy.package.wheels import TESTED, requirements

ROOT = Path(__file__).resolve().parents[5]


def test_tested_versions_are_those_of_the_constraints() -> None:
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    assert {name: pins.get(name) for name in TESTED} == TESTED


@pytest.mark.parametrize(
    ("format", "engine", "other"),
    [("tflite", "ai-edge-litert", "onnxruntime"), ("onnx", "onnxruntime", "ai-edge-litert")],
)
def test_requirements_bring_one_engine_and_no_terminal(format: str, engine: str, other: str) -> None:
    names = {entry.name for entry in requirements(format)}
    assert engine in names
    assert not names & {other, "click", "rich", "uvicorn", "boto3", "tensorflow"}


def test_requirements_of_a_server_bring_one() -> None:
    assert {"uvicorn", "h11"} <= {entry.name for entry in requirements("tflite", server=True)}


def test_requirements_are_in_the_installed_versions() -> None:
    versions = {entry.name: entry.version for entry in requirements("tflite")}
    assert versions["numpy"] == metadata.version("numpy")


def test_requirements_of_a_phones_format_are_refused() -> None:
    with pytest.raises(UsageError, match=r"coreml.*--artifact"):
        requirements("coreml")

"""``snapship check --ray`` on two nodes: the report of one process, also when an actor is killed.

Two .tflite files, as Ray's environment has no TensorFlow.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.e2e.cluster.conftest import ACTOR, result_of
from tests.processes import named, wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise in ten classes."""
    folder, rng = tmp_path_factory.mktemp("labelled"), np.random.default_rng(0)
    for label in range(10):
        (folder / "val" / str(label)).mkdir(parents=True)
        for index in range(12):
            pixels = rng.integers(0, 256, (18, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "val" / str(label) / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def words(ray_python: str, digits_bundle: Path, photos: Path) -> list[str]:
    if subprocess.run([ray_python, "-c", "import scipy"], capture_output=True, check=False).returncode:
        pytest.skip("needs scipy in Ray's environment: make acceptance")
    return [
        "-m", "snapship", "check", "--reference", f"{digits_bundle}/digits_fp32.tflite", "--candidate",
        f"{digits_bundle}/digits_int8.tflite", "--data", str(photos), "--weak-reference", "allow", "--quick",
        "--inconclusive", "pass", "--json",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def expected(ray_cluster: Any, words: list[str]) -> Any:
    """The report of one process, in Ray's environment."""
    return report_of(ray_cluster.ended(*words))


def report_of(done: subprocess.CompletedProcess[str]) -> Any:
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    for found in (*report["artifacts"].values(), *report["pareto"]["points"]):
        del found["latency_ms"]
    return report


def test_report_is_that_of_one_process(ray_cluster: Any, words: list[str], expected: Any) -> None:
    assert expected["n"] == 120
    assert report_of(ray_cluster.ended(*words, "--ray", ray_cluster.client)) == expected


def test_report_is_the_same_when_an_actor_is_killed(
    ray_cluster: Any, words: list[str], expected: Any
) -> None:
    process = ray_cluster.run(*words, "--ray", ray_cluster.address)
    found = wait_until(lambda: named(ACTOR), "no actors", 120.0)
    os.kill(found[0], signal.SIGKILL)
    assert report_of(result_of(process)) == expected


def test_address_where_no_cluster_is(ray_cluster: Any, words: list[str]) -> None:
    process = ray_cluster.run(*words, "--ray", "127.0.0.1:9")
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert err.splitlines()[-1].startswith("Error: The address must be that of a running Ray cluster.")

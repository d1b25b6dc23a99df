"""``snapship train --distributed ray:ADDRESS`` on two nodes, with JAX: a lost rank, and the run that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.cluster.conftest import RayCluster, started_cluster
from trainer.evaluation.evaluation import load_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(ray_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RayCluster]:
    """A cluster whose machines have Keras and JAX, of this environment."""
    keras = find_spec("keras")
    assert keras is not None
    assert keras.origin is not None
    variables = {
        "PYTHONPATH": str(Path(keras.origin).parents[1]), "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu",
        "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")),
    }  # fmt: skip
    with started_cluster(ray_python, **variables) as made:
        yield made


def start(cluster: RayCluster, out: Path, distributed: str, **more: str) -> subprocess.Popen[str]:
    words = [
        "train",
        "digits",
        "--model",
        "lenet5",
        "--epochs",
        "3",
        "--precision",
        "float32",
        "--augment",
        "none",
    ]
    return cluster.run(
        "-m", "snapship", *words, "--out", str(out), "--distributed", distributed, "--json", **more
    )


def test_lost_rank_ends_the_run_and_the_same_command_goes_on(cluster: RayCluster, tmp_path: Path) -> None:
    out, address = tmp_path / "run", f"ray:{cluster.address}"
    process = start(cluster, out, address)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("train epoch 1"):
            os.kill(ranks()[-1], signal.SIGKILL)
            break
    said += process.stderr.readlines()
    assert process.wait(60) == 4, said
    assert said[-1].startswith("Error: All ranks must run to the end. Received: rank ")
    assert not out.exists()
    wait_until_gone()
    process = start(cluster, out, address)
    told, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    assert "resuming the interrupted run after epoch" in err
    report = json.loads(told)
    assert report["metrics"]["epochs"] == 3
    assert Path(report["run"]) == out
    # As two processes of one machine.
    local = tmp_path / "local"
    done = start(cluster, local, "2")
    _, err = done.communicate(timeout=300)
    assert done.returncode == 0, err
    assert greatest_difference(out, local) <= 1e-6


def test_tensorflow_is_refused_before_anything_starts(cluster: RayCluster, tmp_path: Path) -> None:
    process = start(cluster, tmp_path / "run", f"ray:{cluster.address}", KERAS_BACKEND="tensorflow")
    told, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert told == ""
    assert err.startswith("Error: Several processes must train on JAX or PyTorch")
    assert err.count("\n") == 1


def greatest_difference(first: Path, second: Path) -> float:
    pairs: Any = zip(load_model(first).get_weights(), load_model(second).get_weights(), strict=True)
    return max(float(np.abs(mine - theirs).max()) for mine, theirs in pairs if mine.size)


def ranks() -> list[int]:
    """Processes of ranks, by the names that Ray gives them."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                if (place / "cmdline").read_bytes().startswith(b"ray::RankActor"):
                    found.append(int(place.name))
            except OSError:
                continue
    return found


def wait_until_gone() -> None:
    end = time.monotonic() + 60
    while ranks():
        assert time.monotonic() < end, "ranks outlive their driver"
        time.sleep(0.1)

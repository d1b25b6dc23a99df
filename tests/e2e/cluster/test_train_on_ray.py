"""``snapship train --distributed ray:ADDRESS`` on two nodes, with JAX: a lost rank, and the run that goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.e2e.cluster.conftest import RayCluster, started_cluster
from tests.processes import named, wait_until
from tests.weights import greatest_difference

RANK = "ray::RayTrainWorker"
"""What Ray Train calls the processes of ranks."""

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


def words(out: Path, distributed: str) -> list[str]:
    return [
        "-m", "snapship", "train", "digits", "--model", "lenet5", "--epochs", "3", "--precision", "float32",
        "--augment", "none", "--out", str(out), "--distributed", distributed, "--json",
    ]  # fmt: skip


def start(cluster: RayCluster, out: Path, distributed: str, **more: str) -> subprocess.Popen[str]:
    return cluster.run(*words(out, distributed), **more)


def test_lost_rank_ends_the_run_and_the_same_command_goes_on(cluster: RayCluster, tmp_path: Path) -> None:
    out, address = tmp_path / "run", f"ray:{cluster.address}"
    process = start(cluster, out, address)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("train epoch 1"):
            os.kill(named(RANK)[-1], signal.SIGKILL)
            break
    said += process.stderr.readlines()
    assert process.wait(60) == 4, said
    assert said[-1].startswith("Error: All ranks must run to the end. Received: rank ")
    assert not out.exists()
    wait_until(lambda: not named(RANK), "ranks outlive their driver", 60.0)
    # From outside the cluster.
    done = cluster.ended(*words(out, cluster.client), seconds=300)
    told, err = done.stdout, done.stderr
    assert done.returncode == 0, err
    assert "resuming the interrupted run after epoch" in err
    report = json.loads(told)
    assert report["metrics"]["epochs"] == 3
    assert Path(report["run"]) == out
    assert [line for line in err.splitlines() if "saved" in line] == [f"saved {out}"]
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

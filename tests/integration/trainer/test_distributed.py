"""Several processes or devices train the model of one, and go on when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backends import environment_of
from tests.integration.trainer.test_training_resume import assert_same_model, losses
from tests.processes import alive
from tests.weights import greatest_difference

EPOCHS = 3

pytestmark = pytest.mark.slow


def command(out: Path, cache: Path, backend: str, *words: str, model: str = "lenet5") -> dict[str, Any]:
    """How to start a training of the digits."""
    given = [
        sys.executable, "-m", "snapship", "train", "digits", "--model", model, "--epochs", str(EPOCHS),
        "--augment", "none", "--precision", "float32", "--out", str(out), *words,
    ]  # fmt: skip
    variables = {"XDG_CACHE_HOME": str(cache), "JAX_PLATFORMS": "cpu", **environment_of(backend)}
    return {"args": given, "env": {**os.environ, **variables}, "text": True}


def trained(*given: Any, **more: Any) -> Path:
    """The run folder of a training that must succeed."""
    done = subprocess.run(**command(*given, **more), capture_output=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    # Nothing but the summary: Gloo would say to stdout that it has connected.
    assert done.stdout.startswith("val top-1")
    return Path(given[0])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Trains, once for each backend and number of processes."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def run(backend: str, count: int, model: str = "lenet5") -> Path:
        key = f"{backend}-{model}-{count}"
        if key not in made:
            words = ("--distributed", str(count)) if count > 1 else ()
            made[key] = trained(folder / key, folder / "cache" / key, backend, *words, model=model)
        return made[key]

    return run


# After every epoch of each of these, the ranks have compared their weights: unequal ones end the run.
@pytest.mark.parametrize("backend", ["jax", "torch", "tensorflow"])
def test_two_train_the_model_of_one(backend: str, runs: Callable[..., Path]) -> None:
    one, two = runs(backend, 1), runs(backend, 2)
    assert 0.0 < greatest_difference(one, two) <= 1e-6
    np.testing.assert_allclose(
        np.array(losses(one), np.float64), np.array(losses(two), np.float64), rtol=0, atol=1e-6
    )


def test_ranks_of_torchrun_train_the_model_of_one(runs: Callable[..., Path], tmp_path: Path) -> None:
    given = command(tmp_path / "run", tmp_path / "cache", "torch", "--distributed", "env")
    python, *words = given["args"]
    given["args"] = [python, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *words]
    done = subprocess.run(**given, capture_output=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("val top-1") == 1
    assert greatest_difference(runs("torch", 1), tmp_path / "run") <= 1e-6


def test_transfer_learning_on_two_is_that_of_one(tmp_path: Path, photos: Callable[..., Path]) -> None:
    """The frozen part is divided, and its activations are bit for bit those of one process."""
    import keras

    bare = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    bare.save_weights(tmp_path / "own.weights.h5")
    data, made = photos(cat=40, dog=40), []
    for count in (1, 2):
        given = command(tmp_path / str(count), tmp_path / f"cache-{count}", "jax", model="mobilenet_v2")
        given["args"][4] = str(data)
        given["args"] += ["--width", "0.35", "--size", "32", "--weights", str(tmp_path / "own.weights.h5"),
                          "--fine-tune-epochs", "2", "--unfreeze", "20", "--batch-size", "16"]  # fmt: skip
        given["args"] += ["--distributed", str(count)] if count > 1 else []
        done = subprocess.run(**given, capture_output=True, timeout=500, check=False)
        assert done.returncode == 0, done.stderr
        made.append(tmp_path / str(count))
    assert greatest_difference(*made) <= 1e-6
    assert len(losses(made[0])) == len(losses(made[1])) == EPOCHS + 2


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def start(place: tuple[int, int], port: int, given: dict[str, Any], **more: str) -> subprocess.Popen[str]:
    """Starts a rank as torchrun does."""
    rank, size = place
    variables = {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank), "MASTER_ADDR": "127.0.0.1",
                 "MASTER_PORT": str(port)}  # fmt: skip
    given["env"] |= variables | more
    return subprocess.Popen(**given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_dropout_and_augmentation_are_those_of_one_process_with_as_many_devices(tmp_path: Path) -> None:
    """On JAX; and the ranks of a launcher: two processes, of which one tells and writes."""
    words = ("--distributed", "env", "--augment", "rotation", "--batch-size", "31")
    two, port = tmp_path / "two", free_port()
    # Each with a cache of its own, as on machines that share no disk.
    ranks = [
        start((rank, 2), port, command(two, tmp_path / f"cache-{rank}", "jax", *words, model="small_cnn"))
        for rank in range(2)
    ]
    said = [rank.communicate(timeout=500) for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], said
    assert said[0][0].startswith("val top-1")
    assert said[1] == ("", "")
    one = tmp_path / "one"
    given = command(one, tmp_path / "cache-0", "jax", *words, model="small_cnn")
    alone = start((0, 1), free_port(), given, XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert alone.communicate(timeout=500)[0].startswith("val top-1")
    assert greatest_difference(one, two) <= 1e-6


# Ranks that are each given the whole batch count every image twice: they train as one would, in silence.
UNSLICED = """
import sys
from trainer.ranks.group import Share
Share.part = lambda share, images: slice(None)
from snapship.cli import main
main()
"""


def test_ranks_that_do_not_divide_the_batch_are_found_out(tmp_path: Path) -> None:
    processes, port = [], free_port()
    for rank in range(2):
        given = command(tmp_path / "run", tmp_path / "cache", "jax", "--distributed", "env")
        given["args"] = [sys.executable, "-c", UNSLICED, *given["args"][3:]]
        processes.append(start((rank, 2), port, given))
    said = [process.communicate(timeout=500)[1] for process in processes]
    assert all(process.returncode != 0 for process in processes)
    assert "images of an epoch weigh 1440, but 2880 were counted" in "".join(said)
    assert not (tmp_path / "run").exists()


def children(process: subprocess.Popen[str]) -> list[int]:
    pids = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in pids if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_killed_rank_ends_the_run_and_the_same_command_goes_on(
    runs: Callable[..., Path], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    given = command(out, tmp_path / "cache", "jax", "--distributed", "2", "--json")
    process = subprocess.Popen(**given, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if line.startswith("train epoch 1"):
            ranks = children(process)
            os.kill(ranks[1], signal.SIGKILL)
            break
    said = "".join(lines) + process.stderr.read()
    assert process.wait(60) == 4, said
    error = said.splitlines()[-1]
    assert error.startswith("Error: All ranks must run to the end. Received: rank 1 ended by SIGKILL.")
    assert len(ranks) == 2
    assert not any(alive(pid) for pid in ranks)
    assert not out.exists()
    done = subprocess.run(**given, capture_output=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    assert "resuming the interrupted run after epoch" in done.stderr
    assert json.loads(done.stdout)["metrics"]["epochs"] == EPOCHS
    assert_same_model(out, runs("jax", 2))


@pytest.mark.parametrize(("backend", "killed"), [("jax", 1), ("jax", 0), ("torch", 1)])
def test_rank_of_a_launcher_ends_with_one_line_when_another_is_killed(
    backend: str, killed: int, tmp_path: Path
) -> None:
    words, port = ("--distributed", "env", "--epochs", "500", "--patience", "500"), free_port()
    ranks = [
        start((rank, 2), port, command(tmp_path / "run", tmp_path / "cache", backend, *words))
        for rank in range(2)
    ]
    assert ranks[0].stderr is not None
    for line in ranks[0].stderr:
        if line.startswith("train: up to"):
            ranks[killed].kill()
            break
    left = ranks[1 - killed]
    # JAX itself would take a minute, and dump its stack.
    code = left.wait(40)
    assert left.stderr is not None
    said = [line for line in left.stderr.read().splitlines() if not line.startswith("train epoch")]
    if killed == 0 and code == -signal.SIGABRT:
        # JAX was faster: it aborts where it misses rank 0, unheard.
        assert said == []
        return
    assert code == 4, said
    (error,) = said
    assert error.startswith(f"Error: All ranks must run to the end. Received: rank {killed} ended.")


def test_error_of_one_rank_ends_the_others(tmp_path: Path) -> None:
    port = free_port()
    ranks = []
    for rank in range(2):
        given = command(tmp_path / "run", tmp_path / "cache", "jax", "--distributed", "env")
        given["args"][4] = "digits" if rank == 0 else str(tmp_path / "nothing")
        ranks.append(start((rank, 2), port, given))
    said = [rank.communicate(timeout=100)[1].splitlines() for rank in ranks]
    assert [rank.returncode for rank in ranks] == [4, 2], said
    assert said[0][-1].startswith("Error: All ranks must run to the end. Received: rank 1 ended.")
    assert len(said[1]) == 1


@pytest.mark.parametrize(
    ("words", "variables", "code", "said"),
    [
        (("--distributed", "env"), {}, 2, "needs the variables of a launcher"),
        (("--distributed", "some"), {}, 2, "distributed must be auto, env"),
        (("--distributed", "64", "--batch-size", "32"), {}, 2, "batch_size must be at least the number of processes"),
        (("--distributed", "ray:127.0.0.1:9"), {}, 4, "Ray cluster"),
        (("--distributed", "env"), {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1",
                                    "KERAS_BACKEND": "tensorflow"}, 2, "must train on JAX or PyTorch"),
    ],
)  # fmt: skip
def test_what_cannot_train_together_is_refused_in_one_line(
    words: tuple[str, ...], variables: dict[str, str], code: int, said: str, tmp_path: Path
) -> None:
    given = command(tmp_path / "run", tmp_path / "cache", "jax", *words)
    given["env"] |= variables
    done = subprocess.run(**given, capture_output=True, timeout=200, check=False)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()

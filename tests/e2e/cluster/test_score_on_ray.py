"""``snapship score --ray`` on two nodes: the rows of one process, whatever is killed.

snapship is not installed in Ray's environment: what the workers run, the driver has sent.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.dataset
import pyarrow.parquet as parquet
import pytest

from tests.e2e.cluster.conftest import ACTOR
from tests.processes import named, wait_for_parts, wait_until

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).resolve().parents[2] / "functional/edge_runtime/score/driver.py"
SHARD = 10
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def expected(ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path_factory: Any) -> Any:
    """The rows of one process, in Ray's environment."""
    out = tmp_path_factory.mktemp("predicted") / "rows.parquet"
    words = ["predict", digits_bundle, hundred_photos, "--format", "parquet", "--out", out]
    process = ray_cluster.run("-m", "snapship", *map(str, words))
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    return parquet.read_table(out)


@pytest.fixture
def start(ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path: Path) -> Start:
    """Starts the driver; its rows go to ``out``, the photos that it scored to ``log``."""

    def started(**settings: Any) -> subprocess.Popen[str]:
        given = {
            "bundle": str(digits_bundle), "inputs": [str(hundred_photos)], "out": str(tmp_path / "out"),
            "shard_size": SHARD, "ray": ray_cluster.address, "log": str(tmp_path / "log"),
        }  # fmt: skip
        process: subprocess.Popen[str] = ray_cluster.run(str(DRIVER), json.dumps(given | settings))
        return process

    return started


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def rows(out: Path) -> Any:
    return pyarrow.dataset.dataset(out, format="parquet").to_table()


def scored_again(log: Path) -> int:
    counts = Counter(Path(line).name for line in log.read_text().splitlines())
    assert len(counts) == 120
    return sum(count - 1 for count in counts.values())


def test_command_writes_the_rows_of_one_process(
    ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, expected: Any, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    words = [
        digits_bundle,
        hundred_photos,
        "--out",
        out,
        "--shard-size",
        SHARD,
        "--ray",
        ray_cluster.client,
        "--json",
    ]
    done = ray_cluster.ended("-m", "snapship", "score", *map(str, words))
    assert done.returncode == 2, done.stderr
    report = json.loads(done.stdout)
    # The first worker may be done before the second has opened the bundle.
    assert (report["errors"], report["ended"]) == (4, 0)
    assert 1 <= len(report["machines"]) <= 2
    assert rows(out).equals(expected)
    footer = parquet.read_metadata(out / "part-00000.parquet").metadata
    assert footer[b"snapship.replayed"] == b"6"


def test_killed_actor(start: Start, expected: Any, tmp_path: Path) -> None:
    process = start(pause_s=0.05, meet=str(tmp_path / "meet"))
    wait_for_parts(tmp_path / "out", 2, 120.0)
    os.kill(named(ACTOR)[0], signal.SIGKILL)
    report = report_of(process)
    assert (report["ended"], len(report["machines"])) == (1, 2)
    assert rows(tmp_path / "out").equals(expected)
    assert scored_again(tmp_path / "log") <= SHARD


def test_killed_driver_goes_on_where_it_was(start: Start, expected: Any, tmp_path: Path) -> None:
    process = start(pause_s=0.05)
    wait_for_parts(tmp_path / "out", 3, 120.0)
    process.kill()
    process.wait()
    # Ray ends the actors of a driver that is gone.
    wait_until(lambda: not named(ACTOR), "actors outlive their driver", 60.0)
    assert report_of(start())["resumed"] >= 3
    assert rows(tmp_path / "out").equals(expected)
    assert scored_again(tmp_path / "log") <= 2 * SHARD


def test_photo_that_ends_its_process_is_a_row(start: Start, expected: Any, tmp_path: Path) -> None:
    report = report_of(start(harm={"033.png": "end"}, shard_size=30))
    assert [Path(name).name for name in report["given_up"]] == ["033.png"]
    found = rows(tmp_path / "out")
    assert "its process ended" in found.column("error")[33].as_py()
    others = [index for index in range(120) if index != 33]
    assert found.take(others).equals(expected.take(others))


def test_worker_with_another_engine_is_refused_by_its_replay(
    start: Start, expected: Any, tmp_path: Path
) -> None:
    report = report_of(
        start(otherwise=str(tmp_path / "otherwise"), meet=str(tmp_path / "meet"), pause_s=0.02)
    )
    (refused,) = report["refused"]
    assert "scores: a score differs by" in refused["refused"]
    assert len(report["machines"]) == 1
    assert rows(tmp_path / "out").equals(expected)


def test_worker_that_does_not_see_the_photos_takes_no_part(
    ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path: Path
) -> None:
    words = [digits_bundle, hundred_photos, "--out", tmp_path / "out", "--ray", ray_cluster.address]
    # On this one machine everybody sees everything: the plan that they see is another one.
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(
        "import edge_runtime.score.destination as d\n"
        "write = d.Folder.write\n"
        "d.Folder.write = lambda self, name, data: write(self, name, data.replace(b'\"top_k\": 5', b'\"top_k\": 4'))\n"
    )
    root = Path(__file__).resolve().parents[3]
    process = ray_cluster.run(
        "-m", "snapship", "score", *map(str, words), PYTHONPATH=f"{tmp_path / 'hook'}{os.pathsep}{root}"
    )
    _, err = process.communicate(timeout=180)
    assert process.returncode == 4
    assert "is not the driver's here; pass a folder that all machines share" in err
    assert err.count("\n") <= 3


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9", "nonsense", "127.0.0.1:99999"])
def test_address_where_no_cluster_is(
    address: str, ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path: Path
) -> None:
    words = [digits_bundle, hundred_photos, "--out", tmp_path / "out", "--ray", address]
    process = ray_cluster.run("-m", "snapship", "score", *map(str, words))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert err.startswith("Error: The address must be that of a running Ray cluster.")
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_wrong_token_is_refused(
    ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path: Path
) -> None:
    words = [digits_bundle, hundred_photos, "--out", tmp_path / "out", "--ray", ray_cluster.address]
    process = ray_cluster.run("-m", "snapship", "score", *map(str, words), RAY_AUTH_TOKEN="0" * 64)
    _, err = process.communicate(timeout=180)
    assert process.returncode == 4, err
    assert "its token is here" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_cluster_of_another_version_is_refused(
    ray_cluster: Any, digits_bundle: Path, hundred_photos: Path, tmp_path: Path
) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text("import ray\nray.__version__ = '2.59.1'\n")
    words = [digits_bundle, hundred_photos, "--out", tmp_path / "out", "--ray", ray_cluster.address]
    root = Path(__file__).resolve().parents[3]
    process = ray_cluster.run(
        "-m", "snapship", "score", *map(str, words), PYTHONPATH=f"{tmp_path / 'hook'}{os.pathsep}{root}"
    )
    _, err = process.communicate(timeout=180)
    assert process.returncode == 4, err
    assert err.startswith("Error: The cluster and this machine must have one version of Ray and of Python.")
    assert "2.59.1" in err
    assert "2.60.0" in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_node_that_is_lost(ray_cluster: Any, start: Start, expected: Any, tmp_path: Path) -> None:
    """The last test: the cluster has one node after it."""
    process = start(pause_s=0.05, meet=str(tmp_path / "meet"))
    wait_for_parts(tmp_path / "out", 2, 120.0)
    ray_cluster.remove_node()
    assert report_of(process)["ended"] >= 1
    assert rows(tmp_path / "out").equals(expected)
    assert scored_again(tmp_path / "log") <= SHARD

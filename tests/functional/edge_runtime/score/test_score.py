"""``score`` with real processes: the rows of ``predict``, whatever ends in between."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.dataset
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from cluster.score_cli import score
from edge_runtime.cli.predict_cli import predict
from tests.processes import alive, wait_for_parts, wait_until

DRIVER = Path(__file__).parent / "driver.py"
ROOT = Path(__file__).resolve().parents[4]
SHARD = 10


@pytest.fixture
def photos(hundred_photos: Path) -> Path:
    return hundred_photos


@pytest.fixture(scope="module")
def expected(hundred_photos: Path, digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("predicted") / "rows.parquet"
    done = CliRunner().invoke(
        predict,
        [str(digits_bundle), str(hundred_photos), "--format", "parquet", "--out", str(out)],
        standalone_mode=False,
    )
    assert done.return_value == 2, done.output
    return parquet.read_table(out)


def invoke(*words: object) -> Any:
    return CliRunner().invoke(score, [str(word) for word in words], standalone_mode=False)


def rows(out: Path) -> Any:
    """All rows, as somebody reads the folder who knows nothing of us."""
    return pyarrow.dataset.dataset(out, format="parquet").to_table()


def start(bundle: Path, photos: Path, out: Path, **settings: Any) -> subprocess.Popen[str]:
    given = {
        "bundle": str(bundle),
        "inputs": [str(photos)],
        "out": str(out),
        "shard_size": SHARD,
        "workers": 2,
    }
    return subprocess.Popen(
        [sys.executable, DRIVER, json.dumps(given | settings)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def report_of(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def scored(log: Path) -> Counter[str]:
    return Counter(Path(line).name for line in log.read_text().splitlines())


def test_rows_are_those_of_predict_bit_for_bit(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    done = invoke(digits_bundle, photos, "--out", tmp_path / "out", "--shard-size", 7, "--workers", 2)
    assert done.return_value == 2, done.output
    assert "120 images in 18 parts, 4 of them unusable" in done.output
    assert rows(tmp_path / "out").equals(expected)
    footer = parquet.read_metadata(tmp_path / "out/part-00003.parquet").metadata
    assert footer[b"snapship.engine"] == b"litert"
    assert footer[b"snapship.replayed"] == b"6"
    assert json.loads((tmp_path / "out/_SUCCESS").read_text())["errors"] == 4


def test_second_run_has_nothing_to_do(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    words = (digits_bundle, photos, "--out", tmp_path / "out", "--shard-size", 50, "--workers", 1, "--json")
    first = json.loads(invoke(*words).stdout)
    (tmp_path / "out/part-00001.parquet").unlink()
    # Half a part, as a power loss may leave it on a file system that does not keep its promises.
    (tmp_path / "out/part-00002.parquet").write_bytes(b"PAR1")
    second = json.loads(invoke(*words).stdout)
    third = json.loads(invoke(*words).stdout)
    assert [(each["resumed"], each["scored"]) for each in (first, second, third)] == [
        (0, 120),
        (1, 70),
        (3, 0),
    ]
    assert [each["errors"] for each in (first, second, third)] == [4, 4, 4]
    assert rows(tmp_path / "out").equals(expected)


@pytest.mark.parametrize("kind", ["zip", "tar", "parquet", "list"])
def test_every_kind_of_input_gives_the_same_answers(
    kind: str, photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    files = sorted(photos.iterdir())[:20]
    given = tmp_path / f"all.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(given, "w") as archive:
            for file in files:
                archive.write(file, file.name)
    elif kind == "tar":
        with tarfile.open(given, "w") as packed:
            for file in files:
                packed.add(file, file.name)
    elif kind == "parquet":
        data = [file.read_bytes() for file in files]
        parquet.write_table(pyarrow.table({"n": range(20), "image": data}), given, row_group_size=6)
    else:
        given = tmp_path / "all.txt"
        given.write_text("".join(f"{file}\n" for file in files))
    done = invoke(digits_bundle, given, "--out", tmp_path / "out", "--shard-size", 7, "--workers", 1)
    assert done.return_value == 2, done.output
    found = rows(tmp_path / "out").drop_columns(["file", "error"])
    assert found.equals(expected.slice(0, 20).drop_columns(["file", "error"]))
    errors = rows(tmp_path / "out").column("error").to_pylist()
    assert [index for index, error in enumerate(errors) if error] == [7]


@pytest.mark.slow
def test_photo_that_ends_its_process_is_a_row(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    harm = {"033.png": "end", "034.png": "raise"}
    log = tmp_path / "log"
    report = report_of(start(digits_bundle, photos, tmp_path / "out", log=str(log), harm=harm))
    assert [Path(name).name for name in sorted(report["given_up"])] == ["033.png", "034.png"]
    found = rows(tmp_path / "out")
    errors = found.column("error").to_pylist()
    assert "its process ended" in errors[33]
    assert "ValueError: no such luck" in errors[34]
    others = [index for index in range(120) if index not in (33, 34)]
    assert found.take(others).equals(expected.take(others))
    assert report["errors"] == 6


@pytest.mark.slow
def test_worker_with_another_engine_is_refused_by_its_replay(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    settings = {name: str(tmp_path / name) for name in ("log", "otherwise", "meet")}
    report = report_of(start(digits_bundle, photos, tmp_path / "out", pause_s=0.02, **settings))
    (refused,) = report["refused"]
    assert "scores: a score differs by" in refused["refused"]
    assert len(report["machines"]) == 1
    assert rows(tmp_path / "out").equals(expected)


@pytest.mark.slow
def test_killed_worker_loses_at_most_its_shard(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    process = start(digits_bundle, photos, out, log=str(log), pause_s=0.02)
    wait_for_parts(out, 2, 60.0)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [pid for pid in children if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(int(workers[0]), signal.SIGKILL)
    assert report_of(process)["ended"] == 1
    assert rows(out).equals(expected)
    assert sum(count - 1 for count in scored(log).values()) <= SHARD


@pytest.mark.slow
def test_killed_driver_goes_on_where_it_was(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path
) -> None:
    log, out = tmp_path / "log", tmp_path / "out"
    process = start(digits_bundle, photos, out, log=str(log), pause_s=0.02)
    wait_for_parts(out, 3, 60.0)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.kill()
    process.wait()
    wait_until(lambda: not any(alive(int(pid)) for pid in children), "workers outlive their driver", 20.0)
    assert not (out / "_SUCCESS").exists()
    report = report_of(start(digits_bundle, photos, out, log=str(log)))
    assert report["resumed"] >= 3
    assert rows(out).equals(expected)
    assert sum(count - 1 for count in scored(log).values()) <= 2 * SHARD
    assert not list(out.glob(".snapship-*"))


@pytest.mark.slow
def test_ctrl_c_ends_all_without_a_traceback(photos: Path, digits_bundle: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "snapship", "score", digits_bundle, photos, "--out", tmp_path / "out"]
    process = subprocess.Popen(
        [*map(str, command), "--shard-size", "1"], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for_parts(tmp_path / "out", 1, 60.0)
    # To all, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert list((tmp_path / "out").glob("part-*"))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        (["--top-k", 3], "--top-k changed"),
        (["--shard-size", 50], "--shard-size changed"),
        (["--artifact", "tflite-fp32"], "--artifact changed"),
    ],
)
def test_another_plan_is_refused(
    changed: list[Any], told: str, photos: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    base = [
        digits_bundle,
        *sorted(photos.iterdir())[:3],
        "--out",
        out,
        "--workers",
        1,
        "--artifact",
        "tflite-int8",
    ]
    assert invoke(*base).return_value == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    refused = invoke(*base, *changed)
    assert told in str(refused.exception)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_photos_that_changed_are_another_plan(photos: Path, digits_bundle: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    words = (digits_bundle, tmp_path / "photos", "--out", tmp_path / "out", "--workers", 1)
    assert invoke(*words).return_value == 2
    (tmp_path / "photos/000.png").unlink()
    assert "the photos changed" in str(invoke(*words).exception)


def test_folder_with_something_else_is_left_alone(photos: Path, digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    refused = invoke(digits_bundle, photos, "--out", tmp_path)
    assert "holds thesis.txt and no _plan.json" in str(refused.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_machine_that_answers_otherwise_takes_no_part(
    photos: Path, own_digits_bundle: Path, tmp_path: Path
) -> None:
    import hashlib

    golden = own_digits_bundle / "golden/golden.json"
    found = json.loads(golden.read_text())
    scores = found["examples"][0]["scores"]["tflite-int8"]
    scores[:] = scores[::-1]
    golden.write_text(json.dumps(found))
    manifest = json.loads((own_digits_bundle / "manifest.json").read_text())
    manifest["golden"]["sha256"] = hashlib.sha256(golden.read_bytes()).hexdigest()
    (own_digits_bundle / "manifest.json").write_text(json.dumps(manifest))
    refused = invoke(
        own_digits_bundle, photos, "--out", tmp_path / "out", "--workers", 2, "--artifact", "tflite-int8"
    )
    assert "none that does (golden example" in str(refused.exception)
    assert getattr(refused.exception, "exit_code", None) == 4
    assert not list((tmp_path / "out").glob("part-*"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["none.bundle", "photos"], "A bundle must exist"),
        (["BUNDLE", "none.jpg/none.txt"], "none.txt"),
        (["BUNDLE", "empty"], "A folder must hold images"),
        (["BUNDLE", "photos", "--artifact", "no"], "artifact must be a known name"),
        (["BUNDLE", "photos", "--s3-endpoint", "localhost"], "--s3-endpoint must be an address"),
        (["BUNDLE", "photos", "--shard-size", "1000000"], "--shard-size must be 1 to 100,000"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    words: list[str], told: str, photos: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    replaced = {"BUNDLE": digits_bundle, "photos": photos, "empty": tmp_path / "empty"}
    done = invoke(*[replaced.get(word, word) for word in words], "--out", tmp_path / "out")
    assert told in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_out_that_cannot_be_written(photos: Path, digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    done = invoke(digits_bundle, photos, "--out", tmp_path / "file/out")
    assert "--out" in str(done.exception)
    done = invoke(digits_bundle, photos, "--out", "gs://bucket")
    assert "--out must be a folder or an s3:// prefix" in str(done.exception)


@pytest.mark.slow
def test_s3_to_s3(
    photos: Path, digits_bundle: Path, expected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    moto_server: Callable[..., AbstractContextManager[str]],
) -> None:  # fmt: skip
    import pyarrow.fs

    for name, value in (("ACCESS_KEY_ID", "x"), ("SECRET_ACCESS_KEY", "y"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    with moto_server() as address:
        s3 = pyarrow.fs.S3FileSystem(
            endpoint_override=address.removeprefix("http://"), scheme="http", allow_bucket_creation=True
        )
        s3.create_dir("bucket")
        for file in sorted(photos.iterdir())[:20]:
            with s3.open_output_stream(f"bucket/in/{file.name}") as stream:
                stream.write(file.read_bytes())
        words = (digits_bundle, "s3://bucket/in", "--out", "s3://bucket/out", "--s3-endpoint", address)
        done = invoke(*words, "--shard-size", 7, "--workers", 1, "--json")
        assert done.return_value == 2, done.output or done.exception
        again = json.loads(invoke(*words, "--shard-size", 7, "--workers", 1, "--json").stdout)
        assert (again["resumed"], again["scored"], again["errors"]) == (3, 0, 1)
        found = pyarrow.dataset.dataset("bucket/out", format="parquet", filesystem=s3).to_table()
        drop = ["file", "error"]
        assert found.drop_columns(drop).equals(expected.slice(0, 20).drop_columns(drop))
        assert found.column("file")[0].as_py() == "s3://bucket/in/000.png"
        with s3.open_output_stream("bucket/some.csv") as stream:
            stream.write(b"n,file\n1,in/001.png\n2,s3://bucket/in/002.png\n3,in/none.png\n")
        listed = tmp_path / "listed"
        words = (digits_bundle, "s3://bucket/some.csv", "--out", listed, "--s3-endpoint", address)
        assert invoke(*words, "--workers", 1).return_value == 2
        found = rows(listed)
        assert "there is no such object" in found.column("error")[2].as_py()
        assert found.column("score").to_pylist()[:2] == expected.column("score").to_pylist()[1:3]
        for place in ("s3://bucket/none", "s3://none/in"):
            refused = invoke(digits_bundle, place, "--out", tmp_path / "out", "--s3-endpoint", address)
            assert "A bucket or prefix must exist" in str(refused.exception)
        assert not (tmp_path / "out").exists()

"""``bench`` on a real bundle, through the front door."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_runtime.bench import Machine, latency
from edge_runtime.engines import available
from snapship.cli import cli


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(cli, ["bench", *map(str, words)])


def test_latency_is_that_of_the_times() -> None:
    times = [0.001] * 90 + [0.002] * 9 + [0.101]
    found = latency(times)
    assert found.runs == 100
    assert found.p50_ms == pytest.approx(1.0)
    assert 1.0 <= found.p90_ms <= found.p99_ms
    assert found.p99_ms == pytest.approx(float(np.percentile(times, 99)) * 1e3)
    assert found.images_per_s == pytest.approx(100 / sum(times))


@pytest.mark.parametrize(("load", "busy"), [(None, False), (0.1, False), (0.6, True)])
def test_load_is_high_from_a_quarter_of_a_process_a_core(load: float | None, busy: bool) -> None:
    assert Machine("cpu", 2, load).busy is busy


def test_every_artifact_engine_and_number_of_threads_is_measured(digits_bundle: Path) -> None:
    done = run(digits_bundle, "--runs", "12", "--threads", "1,2", "--json")
    assert done.exit_code == 0, done.output
    record = json.loads(done.stdout)
    engines = {"tflite-fp32": ["litert"], "tflite-int8": ["litert"], "onnx-fp32": ["onnxruntime"]}
    expected = [
        (kind, engine, threads)
        for kind, names in engines.items()
        for engine in names
        if available(engine)
        for threads in (1, 2)
    ]
    assert [(row["artifact"], row["engine"], row["threads"]) for row in record["results"]] == expected
    for row in record["results"]:
        for source in ("array", "image"):
            assert row[source]["runs"] == 12
            assert 0 < row[source]["p50_ms"] <= row[source]["p90_ms"] <= row[source]["p99_ms"]
            assert row[source]["images_per_s"] > 0
        # A Python with numpy is not smaller than 10 MB, nor started in 10 ms.
        assert row["rss_mb"] > 10
        assert row["cold_start_ms"] > 10
    assert record["machine"]["cores"] >= 1
    assert record["skipped"] == []


def test_own_image_is_answered_and_the_table_names_it(digits_bundle: Path) -> None:
    image = digits_bundle / "golden" / "1.png"
    done = run(digits_bundle, "--runs", "1", "--artifact", "tflite-int8", "--image", image)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0].split()[:4] == ["artifact", "engine", "threads", "input"]
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["tflite-int8", "litert", "1", "array"], ["tflite-int8", "litert", "1", "image"],
    ]  # fmt: skip
    assert "1.png, 8x8" in done.stdout


def test_timing_ends_at_the_limit(digits_bundle: Path) -> None:
    done = run(digits_bundle, "--runs", "1000000", "--seconds", "0.05", "--artifact", "tflite-int8", "--json")
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["results"]
    assert 10 <= row["array"]["runs"] < 1_000_000


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--threads", "0"), 2, "--threads must be"),
        (("--threads", "1,"), 2, "--threads must be"),
        (("--artifact", "tflite-int4"), 2, "tflite-fp32"),
        (("--engine", "onnxruntime", "--artifact", "tflite-int8"), 4, "tflite-int8"),
        (("--image", "no-such.jpg"), 2, "no-such.jpg"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    digits_bundle: Path, words: tuple[str, ...], code: int, message: str
) -> None:
    done = run(digits_bundle, *words)
    assert done.exit_code == code
    assert message in done.stderr
    assert done.stdout == ""

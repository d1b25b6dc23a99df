"""The runtime compared with others on the same file and photos, end to end.

MediaPipe Tasks, TensorFlow's interpreter, hand-written ONNX Runtime code and `model.predict`, each in its own
process (`benchmarks/edge_client.py`), alternating. MediaPipe needs its own environment, such as the one that
`make acceptance` makes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.edge_model import ROOT, edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result

MODULE = "benchmarks.edge_peers"
CLIENT = Path(__file__).with_name("edge_client.py")

METHOD = """From the path of a 320x240 JPEG to the indices of the five best classes, one photo at a time on one thread
({photos} photos, {rounds} rounds, alternating). All but MediaPipe use Pillow's bilinear resize and NumPy.
`model.predict` takes the `.keras` file that the artifacts were made from. *Best*: the fastest round per photo,
averaged; *by snapship's* is the ratio to the runtime's on the same file. *Same class*: share of photos with the
runtime's best class; MediaPipe resizes in its own way, without antialiasing."""

SAME = 0.7
"""Least share of photos with the same best of 1000 classes; less would compare different work."""


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--rounds", type=int, default=9, help="rounds over the photos (default 9)")
    made.add_argument(
        "--mediapipe", type=Path, default=Path(sys.prefix) / "acceptance/mediapipe/bin/python",
        help="a Python that has MediaPipe (default: that of make acceptance; left out where it is not)",
    )  # fmt: skip
    options = made.parse_args(arguments)
    if options.quick:
        options.rounds = 1
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        found = _measure(options, folder, photos)
    result = _result(options, machine, command_line(MODULE, arguments), len(photos), found)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _measure(options: Any, folder: Path, photos: list[Path]) -> dict[tuple[str, str], dict[str, Any]]:
    """Seconds ``[rounds, photos]`` and best classes of each way, by file and way."""
    bundle = folder / "model.bundle"
    files = {"int8.tflite": "tflite-int8", "fp32.tflite": "tflite-fp32", "fp32.onnx": "onnx-fp32"}
    python = Path(sys.executable)
    with ExitStack() as stack:
        clients: dict[tuple[str, str], subprocess.Popen[str]] = {}

        def add(kind: str, way: str, model: str, interpreter: Path = python) -> None:
            clients[kind, way] = stack.enter_context(_client(interpreter, way, model, photos))

        for ending, kind in files.items():
            file = str(next(bundle.glob(f"*_{ending}")))
            add(kind, "snapship", f"{bundle}:{kind}")
            if kind == "onnx-fp32":
                add(kind, "onnxruntime", file)
                continue
            add(kind, "tf.lite", file)
            if options.mediapipe.is_file():
                add(kind, "mediapipe", file, options.mediapipe)
        add("tflite-fp32", "keras", str(folder / "model.keras"))
        for client in clients.values():
            _line(client)
        found: dict[tuple[str, str], dict[str, Any]] = {key: {"seconds": [], "best": []} for key in clients}
        for _ in range(options.rounds):
            for key, client in clients.items():
                assert client.stdin is not None
                client.stdin.write("\n")
                client.stdin.flush()
                answer = json.loads(_line(client))
                found[key]["seconds"].append(answer["seconds"])
                found[key]["best"] = answer["best"]
        for client in clients.values():
            client.stdin.close()  # type: ignore[union-attr]
    return found


def _client(python: Path, way: str, model: str, photos: list[Path]) -> subprocess.Popen[str]:
    # The project's folder is for the runtime alone: MediaPipe's Python has other packages.
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT) if way == "snapship" else "",
        "KERAS_BACKEND": "tensorflow",
    }
    if way == "mediapipe":
        # It logs its use to play.googleapis.com and has no switch: its messages go nowhere.
        environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    return subprocess.Popen(
        [str(python), str(CLIENT), way, model, *map(str, photos)], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
    )  # fmt: skip


def _line(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    line = client.stdout.readline()
    if not line:
        raise ValueError(f"Every way must answer. Received: {client.args!r} ended.")
    return line


def _result(
    options: Any,
    machine: dict[str, str],
    command: str,
    photos: int,
    found: dict[tuple[str, str], dict[str, Any]],
) -> Result:
    best = {key: float(np.min(entry["seconds"], axis=0).mean()) for key, entry in found.items()}
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for (kind, way), entry in found.items():
        ours = kind, "snapship"
        same = float(np.mean(np.array(entry["best"]) == np.array(found[ours]["best"])))
        ratio = best[kind, way] / best[ours]
        rows.append((kind, way, best[kind, way] * 1e3, float(np.median(entry["seconds"])) * 1e3, ratio, same))
        if way == "snapship":
            continue
        if same < SAME and not options.quick:
            raise ValueError(
                f"The ways must answer alike. Received: {way} on {kind} at {same:.0%} of photos."
            )
        figures.append(Figure(f"{kind}: {way} by snapship", ratio, least=1.0))
    return Result(
        name="edge-peers",
        group="edge-peers",
        title="Other runtimes, end to end",
        method=METHOD.format(photos=photos, rounds=options.rounds),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"photos": photos, "rounds": options.rounds, "mediapipe": options.mediapipe.is_file()},
        columns=(
            Column("file"), Column("way"), Column("best ms", "ratio"), Column("median ms", "ratio"),
            Column("by snapship's", "ratio"), Column("same class", "percent"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()

"""ONNX Runtime in a process that knows nothing of snapship reads labels and preprocessing from the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from exporter.formats.kinds import KINDS

LABELS = ("blobs", "café crème", "stripes", "zebra checks")
CLIENT = Path(__file__).with_name("onnxruntime_client.py")
KINDS_OF_ONNX = [name for name, kind in KINDS.items() if kind.format == "onnx"]

pytestmark = pytest.mark.slow


def ask(model: Path, *images: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-I", CLIENT, model, *images],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("kind", KINDS_OF_ONNX)
def test_onnxruntime_alone_gives_our_labels_and_scores(
    file_of: Callable[[str], Path], images: list[Path], expected: Callable, kind: str
) -> None:
    found = ask(file_of(kind), *images)
    assert found["ours"] == []
    assert found["names"] == {str(index): label for index, label in enumerate(LABELS)}
    about = found["about"]
    assert (about["task"], about["artifact"], about["layout"]) == ("classify", kind, "NHWC")
    assert (about["imgsz"], about["input_range"], about["fit"]) == ("[48, 48]", "[0, 255]", "stretch")
    wanted = expected(kind)
    assert set(wanted.argmax(axis=1)) == set(range(len(LABELS)))
    for answer, scores in zip(found["answers"], wanted, strict=True):
        got = dict(answer)
        assert answer[0][0] == LABELS[scores.argmax()]
        assert np.abs([got[label] for label in LABELS] - scores).max() <= 1e-5


@pytest.mark.parametrize("kind", KINDS_OF_ONNX)
def test_onnx_files_suit_older_runtimes(file_of: Callable[[str], Path], kind: str) -> None:
    proto = onnx.load(file_of(kind))
    assert proto.ir_version <= 10
    assert proto.producer_name == "snapship"
    onnx.checker.check_model(proto, full_check=True)

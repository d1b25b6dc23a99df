"""MediaPipe Tasks opens the .tflite artifacts: what Android, iOS and web apps use most."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_runtime.image.input_spec import InputSpec
from exporter.formats.kinds import KINDS
from exporter.formats.tflite_metadata import with_tflite_metadata

LABELS = ("blobs", "café crème", "stripes", "zebra checks")
CLIENT = Path(__file__).with_name("mediapipe_client.py")
KINDS_OF_TFLITE = [name for name, kind in KINDS.items() if kind.format == "tflite"]
TOLERANCE = 1e-3
"""MediaPipe brings a LiteRT of its own version: the same kernels, perhaps other sums."""

Answer = list[tuple[str, float]]
Ask = Callable[..., list[Answer]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="session")
def ask(mediapipe_python: Path) -> Ask:
    """Labels and scores by MediaPipe, best first, for each image."""

    def run(model: Path, *images: Path) -> list[Answer]:
        done = subprocess.run(
            [mediapipe_python, CLIENT, model, *images],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            # It logs its use to play.googleapis.com and has no switch: its messages go nowhere.
            env={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9"},
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return [[(label, score) for label, score in answer] for answer in json.loads(done.stdout)]

    return run


@pytest.mark.parametrize("kind", KINDS_OF_TFLITE)
def test_mediapipe_gives_our_labels_and_scores(
    ask: Ask, file_of: Callable[[str], Path], images: list[Path], expected: Callable, kind: str
) -> None:
    wanted = expected(kind)
    # A test of label order must see every label on top.
    assert set(wanted.argmax(axis=1)) == set(range(len(LABELS)))
    for answer, scores in zip(ask(file_of(kind), *images), wanted, strict=True):
        best_first = np.argsort(-scores)
        got = dict(answer)
        assert answer[0][0] == LABELS[best_first[0]]
        assert np.abs([got[label] for label in LABELS] - scores).max() <= TOLERANCE


def test_mediapipe_resizes_a_photo_to_the_same_label(
    ask: Ask, file_of: Callable[[str], Path], images: list[Path], expected: Callable, tmp_path: Path
) -> None:
    scores = expected("tflite-fp32")
    surest = int(scores.max(axis=1).argmax())
    large = tmp_path / "large.png"
    Image.open(images[surest]).resize((320, 240), Image.Resampling.BICUBIC).save(large)
    ((best, *_),) = ask(file_of("tflite-fp32"), large)
    assert best[0] == LABELS[scores[surest].argmax()]


def test_mediapipe_takes_the_labels_from_the_file(
    ask: Ask, file_of: Callable[[str], Path], images: list[Path], tmp_path: Path
) -> None:
    file = file_of("tflite-int8")
    renamed = tmp_path / "renamed.tflite"
    renamed.write_bytes(
        with_tflite_metadata(
            file.read_bytes(), name="renamed", description="", labels=LABELS[::-1], input=InputSpec(48, 48)
        )
    )
    (before,), (after,) = ask(file, images[0]), ask(renamed, images[0])
    swapped = dict(zip(LABELS, LABELS[::-1], strict=True))
    assert [(swapped[label], score) for label, score in before] == after

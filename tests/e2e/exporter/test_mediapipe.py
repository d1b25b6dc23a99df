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

from edge_runtime import Classifier, InputSpec, pixels
from edge_runtime.image.input_spec import Fit
from exporter.formats.kinds import KINDS
from exporter.formats.tflite_metadata import with_tflite_metadata

LABELS = ("blobs", "café crème", "stripes", "zebra checks")
CLIENT = Path(__file__).with_name("mediapipe_client.py")
KINDS_OF_TFLITE = [name for name, kind in KINDS.items() if kind.format == "tflite"]
SIDE = 48
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
            [mediapipe_python, CLIENT, "classify", model, str(SIDE), str(SIDE), "stretch", *images],
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


@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_recipe_makes_our_pixels(mediapipe_python: Path, tmp_path: Path, fit: Fit) -> None:
    rng = np.random.default_rng(1)
    files = []
    for number, (width, height) in enumerate([(320, 240), (101, 333), (31, 20), (40, 400), (48, 48)]):
        smooth = rng.integers(0, 256, (height // 9 + 1, width // 9 + 1, 3), dtype=np.uint8)
        picture = Image.fromarray(smooth).resize((width, height), Image.Resampling.BICUBIC)
        exif = Image.Exif()
        exif[274] = 1 + number
        files += [tmp_path / f"{number}.jpg", tmp_path / f"{number}.png", tmp_path / f"{number}-gray.jpg"]
        picture.save(files[-3], exif=exif)
        picture.save(files[-2])
        picture.convert("L").save(files[-1])
    target = tmp_path / "pixels.npy"
    command = [mediapipe_python, CLIENT, "pixels", target, "56", "40", fit, *files]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    spec = InputSpec(height=40, width=56, fit=fit)
    for file, found in zip(files, np.load(target), strict=True):
        assert (found == pixels(file.read_bytes(), spec)).all(), file


def test_mediapipe_on_our_pixels_gives_the_answer_for_a_photo(
    ask: Ask, bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    large = tmp_path / "large.jpg"
    Image.open(images[0]).resize((320, 250), Image.Resampling.BICUBIC).save(large)
    with Classifier.open(bundle, "tflite-fp32") as classifier:
        scores = classifier.scores(large.read_bytes())
    (answer,) = ask(bundle / classifier.artifact.file, large)
    assert np.abs([dict(answer)[label] for label in LABELS] - scores).max() <= TOLERANCE


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

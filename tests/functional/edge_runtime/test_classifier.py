"""The classifier on a real bundle with real interpreters."""

from __future__ import annotations

import io
import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier, Result, selftest
from edge_runtime.common.errors import (
    BundleError,
    GateFailedError,
    ImageError,
    ModelFileError,
    UnknownNameError,
    UsageError,
)
from edge_runtime.engines import available
from edge_runtime.image.preprocess import ImageSource

KINDS = ("tflite-fp32", "tflite-int8", "onnx-fp32")


def needs(kind: str) -> None:
    if kind.startswith("onnx") and not available("onnxruntime"):
        pytest.skip("onnxruntime is not installed")


@pytest.fixture(params=KINDS)
def classifier(request: pytest.FixtureRequest, digits_bundle: Path) -> Iterator[Classifier]:
    needs(request.param)
    with Classifier.open(digits_bundle, request.param) as opened:
        yield opened


@pytest.fixture
def images(digits_bundle: Path) -> list[Path]:
    found = sorted((digits_bundle / "golden").glob("*.png"))
    assert len(found) >= 3
    return found


def true_labels(bundle: Path) -> dict[str, str]:
    golden = json.loads((bundle / "golden/golden.json").read_text())
    return {Path(example["file"]).name: example["label"] for example in golden["examples"]}


def edit_manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["artifacts"][0] |= changes
    path.write_text(json.dumps(manifest))


def first_file(folder: Path) -> Path:
    manifest = json.loads((folder / "manifest.json").read_text())
    return folder / str(manifest["artifacts"][0]["file"])


def test_names_the_digits(classifier: Classifier, digits_bundle: Path, images: list[Path]) -> None:
    truth = true_labels(digits_bundle)
    right = [classifier.classify(image).top.label == truth[image.name] for image in images]
    assert sum(right) >= 0.8 * len(right)


def test_scores_are_float32_and_sum_to_1(classifier: Classifier, images: list[Path]) -> None:
    scores = classifier.scores(images[0])
    assert scores.dtype == np.float32
    assert scores.shape == (10,)
    assert scores.min() >= 0.0
    assert float(scores.sum()) == pytest.approx(1.0, abs=1e-5)


def test_scores_belong_to_the_caller(classifier: Classifier, images: list[Path]) -> None:
    first = classifier.scores(images[0])
    kept = first.copy()
    classifier.scores(images[1])
    np.testing.assert_array_equal(first, kept)
    first[:] = 9.0
    np.testing.assert_array_equal(classifier.scores(images[0]), kept)


def test_result_is_the_scores_ranked(classifier: Classifier, images: list[Path]) -> None:
    scores, result = classifier.scores(images[0]), classifier.classify(images[0], top_k=3)
    best = np.argsort(-scores, kind="stable")[:3]
    assert [entry.index for entry in result.predictions] == best.tolist()
    assert [entry.label for entry in result.predictions] == [classifier.labels[index] for index in best]
    assert result.top.score == pytest.approx(float(scores.max()))


def test_every_kind_of_source_gives_the_same_scores(classifier: Classifier, images: list[Path]) -> None:
    path = images[0]
    data = path.read_bytes()
    picture = Image.open(path)
    sources: list[ImageSource] = [
        str(path),
        data,
        bytearray(data),
        memoryview(data),
        io.BytesIO(data),
        picture,
        np.asarray(picture),
        classifier.pixels(path),
    ]
    expected = classifier.scores(path)
    for source in sources:
        np.testing.assert_array_equal(classifier.scores(source), expected)


def test_zip_gives_the_same_scores_as_the_folder(
    digits_bundle: Path, images: list[Path], tmp_path: Path
) -> None:
    archive = shutil.make_archive(str(tmp_path / "digits"), "zip", digits_bundle)
    for kind in KINDS:
        needs(kind)
        with Classifier.open(digits_bundle, kind) as folder, Classifier.open(archive, kind) as packed:
            np.testing.assert_array_equal(folder.scores(images[0]), packed.scores(images[0]))


def test_engines_agree_on_the_float_artifacts(digits_bundle: Path, images: list[Path]) -> None:
    needs("onnx-fp32")
    with (
        Classifier.open(digits_bundle, "tflite-fp32") as one,
        Classifier.open(digits_bundle, "onnx-fp32") as two,
    ):
        assert (one.engine, two.engine) == ("litert", "onnxruntime")
        for image in images:
            assert float(np.abs(one.scores(image) - two.scores(image)).max()) <= 1e-4


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_classify_many_keeps_the_order_and_puts_errors_in_their_place(
    classifier: Classifier, images: list[Path], workers: int
) -> None:
    sources: list[ImageSource] = [*images * 5]
    sources[3] = "/nowhere/cat.png"
    sources[7] = b"no image"
    answers = list(classifier.classify_many(sources, top_k=2, workers=workers))
    assert len(answers) == len(sources)
    assert [index for index, answer in enumerate(answers) if isinstance(answer, ImageError)] == [3, 7]
    for source, answer in zip(sources, answers, strict=True):
        if isinstance(answer, Result):
            assert answer == classifier.classify(source, top_k=2)


@pytest.mark.parametrize("workers", [1, 3])
def test_classify_many_reads_only_a_few_images_ahead(
    classifier: Classifier, images: list[Path], workers: int
) -> None:
    taken = []

    def endless() -> Iterator[Path]:
        while True:
            taken.append(1)
            yield images[0]

    stream = classifier.classify_many(endless(), workers=workers)
    for _ in range(4):
        next(stream)
    assert len(taken) <= 4 + 2 * workers + 1
    assert isinstance(stream, Iterator)
    del stream


@pytest.mark.parametrize(("cores", "expected"), [(2, 2), (8, 5)])
def test_classify_many_starts_no_more_workers_than_cores(
    classifier: Classifier, images: list[Path], monkeypatch: pytest.MonkeyPatch, cores: int, expected: int
) -> None:
    asked: list[int] = []
    monkeypatch.setattr("edge_runtime.classifier.cores", lambda: cores)
    monkeypatch.setattr(classifier._pool, "raise_limit", asked.append)
    threads: set[str] = set()
    attempt = classifier._attempt

    def seen(*words: Any) -> Result | ImageError:
        threads.add(threading.current_thread().name)
        return attempt(*words)

    monkeypatch.setattr(classifier, "_attempt", seen)
    answers = list(classifier.classify_many(images * 5, workers=5))
    assert len(answers) == 5 * len(images)
    assert asked == [expected]
    assert 1 <= len(threads) <= expected


def test_threads_may_share_a_classifier(classifier: Classifier, images: list[Path]) -> None:
    expected = [classifier.scores(image) for image in images]

    def work(index: int) -> bool:
        place = index % len(images)
        return np.array_equal(classifier.scores(images[place]), expected[place])

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(work, range(400)))


def test_closed_classifier_says_so(digits_bundle: Path, images: list[Path]) -> None:
    classifier = Classifier.open(digits_bundle)
    classifier.close()
    classifier.close()
    calls: tuple[Callable[[], object], ...] = (
        lambda: classifier.classify(images[0]),
        lambda: next(classifier.classify_many(images)),
        lambda: next(classifier.classify_many(images, workers=2)),
    )
    for call in calls:
        with pytest.raises(UsageError, match="must be open"):
            call()


def test_numbers_must_be_positive(classifier: Classifier, images: list[Path], digits_bundle: Path) -> None:
    for call in (
        lambda: classifier.classify(images[0], top_k=0),
        lambda: classifier.classify_many(images, top_k=0),
        lambda: classifier.classify_many(images, workers=0),
        lambda: Classifier.open(digits_bundle, threads=0),
    ):
        with pytest.raises(UsageError, match=r"must be (at least )?1.* Received: 0"):
            call()


def test_workers_have_an_upper_limit(classifier: Classifier) -> None:
    with pytest.raises(UsageError, match=r"at most 256. Received: 257"):
        classifier.classify_many([], workers=257)


def test_limits_of_an_image_are_the_callers(digits_bundle: Path, images: list[Path]) -> None:
    with (
        Classifier.open(digits_bundle, max_bytes=10) as small,
        pytest.raises(ImageError, match=r"at most 10 bytes[.] Received: .*[.]png, which has more[.]"),
    ):
        small.classify(images[0])
    with (
        Classifier.open(digits_bundle, max_pixels=3) as small,
        pytest.raises(ImageError, match="at most 3 pixels"),
    ):
        small.classify(images[0])


@pytest.mark.parametrize("content", [b"", b"short", None])
def test_changed_model_file_is_refused_by_name(own_digits_bundle: Path, content: bytes | None) -> None:
    path = first_file(own_digits_bundle)
    data = path.read_bytes()
    # None: one bit, which no interpreter would notice.
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    path.write_bytes(bytes(flipped) if content is None else content)
    kind = Bundle.open(own_digits_bundle).manifest.artifacts[0].kind
    with pytest.raises(BundleError, match=path.name):
        Classifier.open(own_digits_bundle, kind)


def test_empty_model_that_the_manifest_vouches_for_is_a_model_error(own_digits_bundle: Path) -> None:
    path = first_file(own_digits_bundle)
    path.write_bytes(b"")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    edit_manifest(own_digits_bundle, bytes=0, sha256=empty)
    kind = Bundle.open(own_digits_bundle).manifest.artifacts[0].kind
    with pytest.raises(ModelFileError, match=path.name):
        Classifier.open(own_digits_bundle, kind)


def test_model_with_other_tensors_than_the_manifest_is_refused(own_digits_bundle: Path) -> None:
    manifest = json.loads((own_digits_bundle / "manifest.json").read_text())
    entry = manifest["artifacts"][0]
    other = "uint8" if entry["input"]["dtype"] == "float32" else "float32"
    edit_manifest(own_digits_bundle, input=entry["input"] | {"dtype": other})
    with pytest.raises(ModelFileError, match="must match the manifest"):
        Classifier.open(own_digits_bundle, entry["kind"])


def test_failed_artifact_is_refused_unless_allowed(own_digits_bundle: Path, images: list[Path]) -> None:
    edit_manifest(own_digits_bundle, verdict="fail")
    kind = Bundle.open(own_digits_bundle).manifest.artifacts[0].kind
    with pytest.raises(GateFailedError, match=kind):
        Classifier.open(own_digits_bundle, kind)
    with Classifier.open(own_digits_bundle) as other:
        assert other.artifact.kind != kind
    with Classifier.open(own_digits_bundle, kind, allow_failed=True) as allowed:
        assert allowed.classify(images[0])


def test_unknown_names_list_the_known_ones(digits_bundle: Path) -> None:
    with pytest.raises(UnknownNameError, match="tflite-int8"):
        Classifier.open(digits_bundle, "tflite-int4")
    with pytest.raises(UnknownNameError, match="litert"):
        Classifier.open(digits_bundle, engine="tensorrt")


def test_golden_examples_replay(digits_bundle: Path) -> None:
    outcome = selftest(Bundle.open(digits_bundle))
    assert outcome.passed, [replay for replay in outcome.replays if replay.failed]


def test_tampered_golden_image_is_found_in_a_zip_too(own_digits_bundle: Path, tmp_path: Path) -> None:
    archive = tmp_path / "digits.zip"
    with zipfile.ZipFile(archive, "w") as opened:
        for path in sorted(own_digits_bundle.rglob("*.*")):
            if path.is_file():
                data = path.read_bytes() + (b"\0" if path.name == "0.png" else b"")
                opened.writestr(path.relative_to(own_digits_bundle).as_posix(), data)
    failed = [replay for replay in selftest(Bundle.open(archive)).replays if replay.failed]
    assert {replay.failed for replay in failed} == {"file"}
    assert {replay.file for replay in failed} == {"golden/0.png"}

"""``LiveClassifier`` swaps its bundle under load."""

from __future__ import annotations

import gc
import hashlib
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime import Bundle, Classifier
from edge_runtime.common.errors import BundleError, GateFailedError, ImageTooLargeError, UsageError
from edge_runtime.updates import LiveClassifier, Swap, pull

MakeBundle = Callable[[str], Path]


def relabelled(bundle: Path, start: str) -> Path:
    """Gives a bundle other labels, so that an answer tells which version it is from."""
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["labels"] = [f"{start}{label}" for label in manifest["labels"]]
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    (bundle / "labels.txt").write_text("".join(f"{label}\n" for label in manifest["labels"]))
    return bundle


@pytest.fixture
def bundles(make_bundle: MakeBundle) -> tuple[Path, Path]:
    return relabelled(make_bundle("a"), "a"), relabelled(make_bundle("b"), "b")


@pytest.fixture
def image(digits_bundle: Path) -> bytes:
    return (digits_bundle / "golden" / "0.png").read_bytes()


def classifier_of(bundle: Bundle) -> Classifier:
    """The classifier behind a LiveClassifier, to see when it is closed."""
    found = [thing for thing in gc.get_objects() if isinstance(thing, Classifier)]
    # One that did not load has no bundle, and may not be collected yet.
    return next(classifier for classifier in found if getattr(classifier, "bundle", None) is bundle)


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_threads_classify_while_the_bundle_changes(
    bundles: tuple[Path, Path], image: bytes, tmp_path: Path
) -> None:
    home = tmp_path / "models"
    pull(str(bundles[0]), home)
    swaps: list[Swap] = []
    answers: list[set[str]] = [set() for _ in range(4)]
    errors: list[BaseException] = []
    stop = threading.Event()
    # A classifier holds its bundle, and nothing else does.
    bundles_in_memory: list[weakref.ref[Bundle]] = []

    def in_memory() -> int:
        gc.collect()
        return sum(bundle() is not None for bundle in bundles_in_memory)

    with LiveClassifier(home, every_s=0.02, on_swap=swaps.append) as live:
        bundles_in_memory.append(weakref.ref(live.bundle))
        expected = live.classify(image).top.label.removeprefix("a")

        def one_by_one(seen: set[str]) -> None:
            while not stop.is_set():
                seen.add(live.classify(image).top.label)

        def as_stream(seen: set[str]) -> None:
            def images() -> Iterator[bytes]:
                while not stop.is_set():
                    yield image

            for result in live.classify_many(images(), workers=2):
                assert not isinstance(result, Exception)
                seen.add(result.top.label)

        def guarded(work: Callable[[set[str]], None], seen: set[str]) -> None:
            try:
                work(seen)
            except BaseException as error:
                errors.append(error)

        works = (one_by_one, one_by_one, as_stream, as_stream)
        threads = [threading.Thread(target=guarded, args=pair) for pair in zip(works, answers, strict=True)]
        for thread in threads:
            thread.start()
        try:
            for count in range(1, 6):
                pull(str(bundles[count % 2]), home)
                assert soon(lambda count=count: len(swaps) >= count)  # type: ignore[misc]
                bundles_in_memory.append(weakref.ref(live.bundle))
                # Gone as soon as the last call on the old one is over.
                assert soon(lambda: in_memory() == 1)
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
        assert live.labels[0] == "b0"
    assert errors == []
    assert [swap.error for swap in swaps] == [None] * 5
    for seen in answers:
        assert seen == {f"a{expected}", f"b{expected}"}


def test_broken_new_bundle_keeps_the_old_one_and_says_so_once(
    bundles: tuple[Path, Path], image: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "served.bundle"
    shutil.copytree(bundles[0], place)
    swaps: list[Swap] = []
    with LiveClassifier(place, every_s=0.02, on_swap=swaps.append) as live:
        top = live.classify(image).top.label
        manifest = (place / "manifest.json").read_text()
        (place / "manifest.json").write_text(manifest[:-9])
        assert soon(lambda: len(swaps) == 1)
        time.sleep(0.5)
        assert len(swaps) == 1
        assert isinstance(swaps[0].error, BundleError)
        assert "The old bundle stays in use" in caplog.text
        assert live.classify(image).top.label == top
        with pytest.raises(BundleError, match=r"manifest\.json"):
            live.reload()
        assert live.classify(image).top.label == top
        for file in ("labels.txt", "manifest.json"):
            shutil.copy(bundles[1] / file, place)
        assert soon(lambda: swaps[-1].error is None)
        assert live.classify(image).top.label == "b" + top[1:]


def test_bundle_whose_files_arrive_slowly_is_taken_when_it_is_whole(
    bundles: tuple[Path, Path], image: bytes, tmp_path: Path
) -> None:
    place = tmp_path / "served.bundle"
    shutil.copytree(bundles[0], place)
    swaps: list[Swap] = []
    model = (bundles[1] / "digits_int8.tflite").read_bytes() + b"end"
    manifest = json.loads((bundles[1] / "manifest.json").read_text())
    manifest["artifacts"][0] |= {"bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()}
    with LiveClassifier(place, every_s=0.02, on_swap=swaps.append) as live:
        shutil.copy(bundles[1] / "labels.txt", place)
        (place / "manifest.json").write_text(json.dumps(manifest))
        assert soon(lambda: bool(swaps))
        # The manifest does not change any more: it is tried again on its own.
        (place / "digits_int8.tflite").write_bytes(model)
        assert soon(lambda: swaps[-1].error is None)
        assert live.classify(image).top.label.startswith("b")


def test_reload_is_the_only_look_when_there_is_no_watching(
    bundles: tuple[Path, Path], image: bytes, tmp_path: Path
) -> None:
    place = tmp_path / "served.zip"

    def put(bundle: Path) -> None:
        shutil.make_archive(str(tmp_path / "new"), "zip", bundle)
        (tmp_path / "new.zip").replace(place)

    put(bundles[0])
    live = LiveClassifier(place, every_s=float("inf"))
    assert not live.reload()
    put(bundles[1])
    assert live.classify(image).top.label.startswith("a")
    assert live.reload()
    assert live.classify(image).top.label.startswith("b")
    live.close()
    live.close()
    with pytest.raises(UsageError, match="must be open"):
        live.classify(image)
    with pytest.raises(UsageError, match="must be open"):
        live.reload()


def test_call_that_runs_finishes_on_the_version_that_it_began_with(
    bundles: tuple[Path, Path], image: bytes, tmp_path: Path
) -> None:
    home = tmp_path / "models"
    pull(str(bundles[0]), home)
    with LiveClassifier(home, every_s=float("inf")) as live:
        stream = live.classify_many(iter([image, image]))
        first = next(stream)
        old = classifier_of(live.bundle)
        pull(str(bundles[1]), home)
        assert live.reload()
        # The stream rests on it, so it is not closed yet.
        old.classify(image)
        second = next(stream)
        with pytest.raises(UsageError, match="must be open"):
            old.classify(image)
        assert [result.top.label[0] for result in (first, second)] == ["a", "b"]  # type: ignore[union-attr]
        with pytest.raises(UsageError, match="top_k"):
            live.classify_many([image], top_k=0)


def test_live_classifier_that_is_dropped_ends_its_thread(bundles: tuple[Path, Path]) -> None:
    names = [thread.name for thread in threading.enumerate()]
    live = LiveClassifier(bundles[0], every_s=0.02)
    del live
    assert soon(lambda: [thread.name for thread in threading.enumerate()] == names)
    with pytest.raises(UsageError, match="every_s"):
        LiveClassifier(bundles[0], every_s=0)


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_very_long_time_between_looks_is_a_time(bundles: tuple[Path, Path]) -> None:
    with LiveClassifier(bundles[0], every_s=1e300) as live:
        time.sleep(0.1)
        assert "snapship-live" in [thread.name for thread in threading.enumerate()]
        assert not live.reload()


def test_failed_artifact_is_taken_when_that_is_allowed(bundles: tuple[Path, Path]) -> None:
    manifest = (bundles[0] / "manifest.json").read_text()
    (bundles[0] / "manifest.json").write_text(manifest.replace('"verdict": "pass"', '"verdict": "fail"'))
    with pytest.raises(GateFailedError):
        LiveClassifier(bundles[0])
    with (
        LiveClassifier(bundles[0], allow_failed=True, max_pixels=10) as live,
        pytest.raises(ImageTooLargeError),
    ):
        live.classify(bundles[0] / "golden" / "0.png")

"""A bundle's cascade, opened by its kind as any artifact is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime import Bundle, Classifier, selftest
from edge_runtime.bench import bench
from edge_runtime.bundle.cascade_entry import CascadeEntry
from edge_runtime.cli.info_cli import info
from edge_runtime.common.errors import BundleError, ModelFileError, UnknownNameError
from edge_runtime.golden import _replay_example, read_golden

CASCADE, FIRST, SECOND = "tflite-cascade", "tflite-int8", "tflite-fp32"
PASSED = (2, 3)
"""The golden examples that are passed on."""


def test_answers_are_to_the_bit_those_of_its_parts(cascade_bundle: Path) -> None:
    images = [cascade_bundle / "golden" / f"{index}.png" for index in range(6)]
    with (
        Classifier.open(cascade_bundle, CASCADE) as cascade,
        Classifier.open(cascade_bundle, FIRST) as first,
        Classifier.open(cascade_bundle, SECOND) as second,
    ):
        for index, image in enumerate(images):
            part = second if index in PASSED else first
            assert np.array_equal(cascade.scores(image), part.scores(image))
        assert cascade.passed_on == (2, 6)
        assert first.passed_on is None
        # Over all engines of the pool.
        assert len(list(cascade.classify_many(images * 4, workers=3))) == 24
        assert cascade.passed_on == (2 + 8, 6 + 24)
        assert cascade.artifact.bytes == first.artifact.bytes + second.artifact.bytes


@pytest.mark.parametrize("broken", [FIRST, SECOND])
def test_missing_or_changed_file_is_found_when_opened(cascade_bundle: Path, broken: str) -> None:
    bundle = Bundle.open(cascade_bundle)
    file = cascade_bundle / bundle.artifact(broken).file
    data = file.read_bytes()
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BundleError, match=f"unchanged since its export.*{file.name}"):
        Classifier.open(cascade_bundle, CASCADE)
    file.unlink()
    with pytest.raises(BundleError, match=f"must hold {file.name}") as error:
        Classifier.open(cascade_bundle, CASCADE)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)


def test_second_model_that_is_refused_is_found_when_opened(cascade_bundle: Path) -> None:
    manifest = json.loads((cascade_bundle / "manifest.json").read_bytes())
    second = next(entry for entry in manifest["artifacts"] if entry["kind"] == SECOND)
    (cascade_bundle / second["file"]).write_bytes(b"no model")
    # Its hash is right: whoever made the bundle put it there.
    second |= {"bytes": 8, "sha256": hashlib.sha256(b"no model").hexdigest()}
    (cascade_bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelFileError, match=r"_fp32\.tflite"):
        Classifier.open(cascade_bundle, CASCADE)


def test_manifest_without_the_second_artifact_is_refused(cascade_bundle: Path) -> None:
    manifest = json.loads((cascade_bundle / "manifest.json").read_bytes())
    manifest["artifacts"] = [entry for entry in manifest["artifacts"] if entry["kind"] != SECOND]
    (cascade_bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="both artifacts of a cascade"):
        Bundle.open(cascade_bundle)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"temperature": 0}, "temperature must be a positive number"),
        ({"passed_on": 1.5}, "passed_on must be 0..1"),
        ({"margin": -0.1}, "margin must be 0..1"),
        (
            {"reference": {"images": 6, "classes": [], "top_scores": [], "margins": []}},
            "a number per class and per bin",
        ),
    ],
)
def test_manifest_with_numbers_that_cannot_be_is_refused(
    cascade_bundle: Path, changed: dict[str, object], words: str
) -> None:
    manifest = json.loads((cascade_bundle / "manifest.json").read_bytes())
    manifest["cascade"] |= changed
    (cascade_bundle / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match=words) as error:
        Bundle.open(cascade_bundle)
    assert "\n" not in str(error.value)


def test_unknown_artifact_lists_the_cascade_too(cascade_bundle: Path) -> None:
    with pytest.raises(UnknownNameError, match=CASCADE):
        Classifier.open(cascade_bundle, "tflite-fp16")


def test_selftest_replays_the_parts_with_it(cascade_bundle: Path) -> None:
    bundle = Bundle.open(cascade_bundle)
    for found in (selftest(bundle), selftest(bundle, artifacts=[CASCADE])):
        assert found.passed
        kinds = [replay.artifact for replay in found.replays]
        assert {kinds.count(kind) for kind in (FIRST, SECOND, CASCADE)} == {6}


def test_selftest_accepts_the_other_part_only_near_the_threshold(cascade_bundle: Path) -> None:
    # Here example 3, margin .887, goes to the second model; elsewhere it may stay with the first.
    for margin, passed in ((0.85, True), (0.5, False)):
        manifest = json.loads((cascade_bundle / "manifest.json").read_bytes())
        manifest["cascade"]["margin"] = margin
        (cascade_bundle / "manifest.json").write_text(json.dumps(manifest))
        bundle = Bundle.open(cascade_bundle)
        golden = read_golden(bundle)
        shifted = golden.examples[3].scores[CASCADE]
        # As if both models had answered quite differently at export.
        other = tuple(reversed(shifted))
        examples = list(golden.examples)
        examples[3] = msgspec.structs.replace(
            examples[3], scores={**examples[3].scores, CASCADE: other, SECOND: other}
        )
        changed = msgspec.structs.replace(golden, examples=tuple(examples))
        with Classifier.open(bundle, CASCADE) as classifier:
            replay = _replay_example(bundle, changed, changed.examples[3], classifier, None)
        assert (replay.failed is None) == passed


def test_info_and_bench_show_it(cascade_bundle: Path) -> None:
    shown = CliRunner().invoke(info, [str(cascade_bundle)])
    assert "digits_int8.tflite + digits_fp32.tflite" in shown.output
    assert "tflite-cascade: tflite-int8 answers unless its best score is less than 0.9 above" in shown.output
    assert "(25.0% of the images it was judged on)" in shown.output
    found = bench(Bundle.open(cascade_bundle), artifacts=[CASCADE], runs=8, seconds=5)
    (timing,) = found.results
    assert (timing.artifact, timing.passed_on, timing.image.runs) == (CASCADE, 0.25, 8)


def test_entry_names_what_decides_its_answers(cascade_bundle: Path) -> None:
    bundle = Bundle.open(cascade_bundle)
    entry = bundle.artifact(CASCADE)
    assert isinstance(entry, CascadeEntry)
    assert [part.kind for part in entry.parts] == [FIRST, SECOND]
    manifest = json.loads((cascade_bundle / "manifest.json").read_bytes())
    assert manifest["schema_version"] == 2
    assert len(manifest["artifacts"]) == len(bundle.entries) - 1
    manifest["cascade"]["margin"] = 0.8
    (cascade_bundle / "manifest.json").write_text(json.dumps(manifest))
    assert Bundle.open(cascade_bundle).artifact(CASCADE).sha256 != entry.sha256

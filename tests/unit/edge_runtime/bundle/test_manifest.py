"""``manifest.json`` is read strictly, and the message names the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from edge_runtime.bundle.manifest import Preprocess, encode_manifest, read_manifest
from edge_runtime.common.errors import BundleError
from edge_runtime.image.input_spec import InputSpec

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def record(make_bundle: Callable[..., Path]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((make_bundle() / "manifest.json").read_text())
    return loaded


def test_reads_what_it_writes(record: dict[str, Any]) -> None:
    manifest = read_manifest(json.dumps(record).encode())
    assert read_manifest(encode_manifest(manifest)) == manifest
    assert encode_manifest(manifest).endswith(b"}\n")


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda record: record.update(color="red"), "color"),
        (lambda record: record["input"].update(scale=1), "scale"),
        (lambda record: record["artifacts"][0].update(note=""), "note"),
        (lambda record: record["artifacts"][0].pop("sha256"), "sha256"),
        (lambda record: record.pop("provenance"), "provenance"),
        (lambda record: record.pop("labels"), "labels"),
        (lambda record: record["artifacts"][0].update(bytes="12"), r"artifacts\[0\].bytes"),
        (lambda record: record["artifacts"][0].update(format="pb"), "format"),
        (lambda record: record["artifacts"][0].update(verdict="maybe"), "verdict"),
        (lambda record: record["input"].update(channels=4), "channels must be 1 or 3"),
        (lambda record: record["input"].update(height=0), "1 to 8192"),
        (lambda record: record["input"].update(fit="squash"), "fit"),
        (lambda record: record["preprocess"].update(resize="nearest"), "resize"),
        (lambda record: record["preprocess"].update(resize="plain-bilinear"), "input.resize antialiased"),
        (lambda record: record["input"].update(resize="plain"), "preprocess.resize antialiased-bilinear"),
        (lambda record: record["input"].update(resize="nearest"), r"input\.resize"),
        (lambda record: record.update(labels=[]), "without a label"),
        (lambda record: record.update(labels=["a", " ", "b"]), "index 1"),
        (lambda record: record.update(labels=["a", "b"]), "2 labels, 3 outputs"),
        (lambda record: record.update(artifacts=[]), "at least one artifact"),
        (lambda record: record["artifacts"].append(record["artifacts"][0]), "once"),
        (lambda record: record["input"].update(width=9), "bundle's input"),
    ],
)
def test_bad_field_is_named(record: dict[str, Any], edit: Edit, words: str) -> None:
    edit(record)
    with pytest.raises(BundleError, match=words) as caught:
        read_manifest(json.dumps(record).encode(), "x/manifest.json")
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_plain_resize_is_kept(record: dict[str, Any]) -> None:
    record["input"]["resize"], record["preprocess"]["resize"] = "plain", "plain-bilinear"
    manifest = read_manifest(json.dumps(record).encode())
    assert manifest.input.resize == "plain"
    assert manifest.preprocess == Preprocess.of(manifest.input)
    assert read_manifest(encode_manifest(manifest)) == manifest


class OldInputSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """As runtimes before the plain resize have it."""

    height: int
    width: int
    channels: int = 3
    fit: Literal["stretch", "crop"] = "stretch"


def test_older_runtimes_refuse_the_plain_resize_by_name_and_read_all_else() -> None:
    for channels, fit in ((3, "stretch"), (1, "stretch"), (3, "crop")):
        spec = InputSpec(20, 30, channels, fit)  # type: ignore[arg-type]
        assert msgspec.json.encode(spec) == msgspec.json.encode(OldInputSpec(20, 30, channels, fit))  # type: ignore[arg-type]
        plain = msgspec.json.encode(msgspec.structs.replace(spec, resize="plain"))
        with pytest.raises(msgspec.ValidationError, match="unknown field `resize`"):
            msgspec.json.decode(plain, type=OldInputSpec)


def test_a_manifest_of_our_own_pixels_is_written_as_before(record: dict[str, Any]) -> None:
    assert record["input"] == {"height": 8, "width": 8, "channels": 3, "fit": "stretch"}
    assert record["preprocess"]["resize"] == "antialiased-bilinear"


@pytest.mark.parametrize("version", [0, 3, 99])
def test_other_schema_version_is_told_before_its_fields(version: int) -> None:
    with pytest.raises(BundleError, match=f"schema_version 1 to 2. Received: {version}"):
        read_manifest(json.dumps({"schema_version": version, "from": "the future"}).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema_version": "1"}', b"[" * 100_000])
def test_damaged_json_is_a_one_line_error(data: bytes) -> None:
    with pytest.raises(BundleError, match="must follow its schema") as caught:
        read_manifest(data)
    assert "\n" not in str(caught.value)


def test_manifest_without_rules_is_written_as_schema_1(record: dict[str, Any]) -> None:
    written = json.loads(encode_manifest(read_manifest(json.dumps(record).encode())))
    assert written["schema_version"] == 1
    assert "cascade" not in written
    assert not {"rules", "outputs", "reference"} & written["artifacts"][0].keys()


def test_manifest_with_rules_is_schema_2(record: dict[str, Any]) -> None:
    sets = {"coverage": 0.9, "threshold": 0.2}
    record["artifacts"][0]["rules"] = {"images": 100, "data_sha256": "0" * 64, "sets": sets}
    with pytest.raises(BundleError, match="schema_version 2 to hold rules"):
        read_manifest(json.dumps(record).encode())
    record["schema_version"] = 2
    manifest = read_manifest(json.dumps(record).encode())
    rules = manifest.artifacts[0].rules
    assert rules is not None
    assert rules.sets is not None
    assert rules.sets.threshold == 0.2
    assert json.loads(encode_manifest(manifest))["schema_version"] == 2
    assert read_manifest(encode_manifest(manifest)) == manifest


@pytest.mark.parametrize(
    ("kind", "first", "second"),
    [("tflite-cascade", "tflite-int8", "missing"), ("tflite-cascade", "missing", "tflite-int8")],
)
def test_cascade_names_two_artifacts_of_the_bundle(
    record: dict[str, Any], kind: str, first: str, second: str
) -> None:
    record["schema_version"] = 2
    record["cascade"] = {"kind": kind, "first": first, "second": second, "margin": 0.2, "passed_on": 0.1}
    with pytest.raises(BundleError, match="must list both artifacts of a cascade"):
        read_manifest(json.dumps(record).encode())

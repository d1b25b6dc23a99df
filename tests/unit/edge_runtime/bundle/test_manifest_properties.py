"""What must hold for every manifest, tried on many."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.bundle.labels import labels_text, parse_labels
from edge_runtime.bundle.manifest import (
    Artifact,
    Manifest,
    Provenance,
    TensorSpec,
    encode_manifest,
    read_manifest,
)
from edge_runtime.common.errors import BundleError
from edge_runtime.image.input_spec import InputSpec

QUICK = settings(
    max_examples=100, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip

names = st.text(min_size=1, max_size=30)
# A label is one line that says something; surrogates are not text.
labels = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=20).filter(
    lambda text: bool(text.strip()) and len(text.splitlines()) == 1 and "\ufeff" not in text
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def manifests(draw: Callable[..., Any]) -> Manifest:
    spec = InputSpec(
        draw(st.integers(1, 8192)), draw(st.integers(1, 8192)), draw(st.sampled_from((1, 3))),
        draw(st.sampled_from(("stretch", "crop"))),
    )  # fmt: skip
    classes = tuple(draw(st.lists(labels, min_size=1, max_size=6)))
    kinds = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    artifacts = tuple(
        Artifact(
            kind=kind, file=f"{index}.tflite", format="tflite", precision=draw(names), sha256="0" * 64,
            bytes=draw(st.integers(0, 2**40)), input=TensorSpec(draw(names), "float32", (1, *spec.shape)),
            output=TensorSpec(draw(names), "float32", (1, len(classes))),
            verdict=draw(st.sampled_from(("pass", "fail", "inconclusive", "unchecked"))),
            temperature=draw(st.floats(1e-3, 1e3)), repairs=tuple(draw(st.lists(names, max_size=2))),
        )
        for index, kind in enumerate(kinds)
    )  # fmt: skip
    provenance = Provenance(
        "2025-01-01", "0.1.0", draw(names), "0" * 64, versions=draw(st.dictionaries(names, names))
    )
    return Manifest(1, draw(names), classes, spec, artifacts, provenance)


@QUICK
@given(manifests())
def test_any_manifest_reads_as_written(manifest: Manifest) -> None:
    written = encode_manifest(manifest)
    assert read_manifest(written) == manifest
    assert encode_manifest(read_manifest(written)) == written


@QUICK
@given(st.lists(labels, min_size=1, max_size=6))
def test_any_labels_read_as_written(classes: list[str]) -> None:
    assert parse_labels(labels_text(classes)) == tuple(label.strip() for label in classes)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key of a JSON document."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    inner = [place for _, child in items if isinstance(child, dict | list) for place in places(child)]
    return [(value, key) for key, _ in items] + inner


@pytest.fixture
def record(make_bundle: Callable[..., Path]) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((make_bundle() / "manifest.json").read_text())
    return loaded


@QUICK
@given(st.data())
def test_any_changed_value_is_valid_or_an_error_that_names_it(record: dict[str, Any], data: Any) -> None:
    changed = copy.deepcopy(record)
    parent, key = data.draw(st.sampled_from(places(changed)))
    parent[key] = data.draw(json_values)
    encoded = msgspec.json.encode(changed)
    try:
        manifest = read_manifest(encoded, "x/manifest.json")
    except BundleError as error:
        text = str(error)
        assert "x/manifest.json" in text
        assert "\n" not in text
        return
    # Accepted: then it is what it says, and can be written again.
    assert read_manifest(encode_manifest(manifest)) == manifest


@QUICK
@given(st.data(), st.sampled_from([[], {"x": []}, [[[]]]]))
def test_any_mistyped_field_is_named(record: dict[str, Any], data: Any, value: Any) -> None:
    changed = copy.deepcopy(record)
    parent, key = data.draw(st.sampled_from([p for p in places(changed) if isinstance(p[0], dict)]))
    before = parent[key]
    if isinstance(before, dict | list) or not isinstance(key, str):
        return
    parent[key] = value
    with pytest.raises(BundleError, match=key):
        read_manifest(msgspec.json.encode(changed), "x/manifest.json")

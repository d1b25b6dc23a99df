"""Provenance of a bundle, for its manifest."""

from __future__ import annotations

from datetime import UTC, datetime

from edge_runtime.manifest import Provenance
from edge_runtime.versions import own_version, versions_of
from exporter.input_range import InputRange
from exporter.source import Source

_PACKAGES = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "numpy", "pillow")


def provenance(source: Source, calibrated: int, input_range: InputRange) -> Provenance:
    """Describes an export.

    Args:
        source: The full model's source.
        calibrated: Number of calibration images.
        input_range: Pixel range the full model expects.
    """
    return Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        snapship=own_version(),
        model=source.architecture,
        source_sha256=source.sha256,
        data_sha256="" if source.record is None else source.record.data_sha256,
        calibration_images=calibrated,
        versions=versions_of(_PACKAGES),
        input_range=input_range,
    )

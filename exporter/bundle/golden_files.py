"""Golden examples: images with the results they got here, which ``snapship selftest`` replays elsewhere."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from edge_runtime.bundle.bundle import Bundle, file_sha256
from edge_runtime.bundle.manifest import GoldenRef
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.dataset import ImageSet, Item
from edge_runtime.engines import Engine, open_engine, usable
from edge_runtime.golden import GOLDEN_FILE, Golden, GoldenExample, Replay, image_hashes, selftest
from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.preprocess import decoded, pixels
from exporter.evidence.record import GoldenReport
from exporter.formats.kinds import Kind

MAX_EXAMPLE_BYTES = 200_000
"""Larger photos are scaled down: bundles are downloaded to phones."""

_SMALLER_SIDE = 640


def write_golden(
    folder: Path,
    images: ImageSet,
    spec: InputSpec,
    files: Mapping[Kind, Path],
    cascades: Mapping[str, Callable[[], Engine]] | None = None,
) -> GoldenRef | None:
    """Stores images with the hashes and scores they get on this machine.

    Args:
        folder: The bundle being written.
        images: The images to store.
        spec: The model's input.
        files: The artifacts by kind; those that no installed engine can run are skipped.
        cascades: What loads a cascade, by kind; it may differ as much as the artifact that differs most.

    Returns:
        The entry for the manifest; None if there are no images.
    """
    if not len(images):
        return None
    (folder / "golden").mkdir()
    names: list[tuple[Item, str, bytes]] = []
    for index, item in enumerate(images.items):
        data, suffix = _encoded(images, item)
        name = f"golden/{index}.{suffix}"
        (folder / name).write_bytes(data)
        names.append((item, name, data))
    scores: list[dict[str, tuple[float, ...]]] = [{} for _ in names]
    files = {kind: file for kind, file in files.items() if usable(kind.format)}
    loads: dict[str, Callable[[], Engine]] = {
        kind.name: partial(open_engine, file, kind.format, file.name) for kind, file in files.items()
    }
    for kind_name, load in {**loads, **(cascades or {})}.items():
        engine = load()
        try:
            for place, (_, _, data) in enumerate(names):
                found = engine.run(pixels(data, spec))
                # JSON has no NaN; without scores, a replay reports that there is nothing to compare.
                if np.isfinite(found).all():
                    scores[place][kind_name] = tuple(float(score) for score in found)
        finally:
            engine.close()
    examples = []
    for place, (item, name, data) in enumerate(names):
        upright, seen = image_hashes(data, spec)
        examples.append(
            GoldenExample(
                file=name,
                sha256=hashlib.sha256(data).hexdigest(),
                decoded_sha256=upright,
                pixels_sha256=seen,
                label=images.labels[item.label],
                scores=scores[place],
            )
        )
    tolerance = {kind.name: kind.golden_tolerance for kind in files}
    tolerance |= dict.fromkeys(cascades or {}, max(tolerance.values(), default=0.0))
    path = folder / GOLDEN_FILE
    path.write_bytes(encode_json(Golden(1, tolerance, tuple(examples))))
    return GoldenRef(GOLDEN_FILE, file_sha256(path))


def _encoded(images: ImageSet, item: Item) -> tuple[bytes, str]:
    """The bytes of the image file if they are small enough, else a smaller JPEG; and the file suffix."""
    content = images.read(item)
    if isinstance(content, bytes):
        if len(content) <= MAX_EXAMPLE_BYTES:
            with Image.open(io.BytesIO(content)) as picture:
                return content, {"JPEG": "jpg"}.get(str(picture.format), str(picture.format).lower())
        upright = decoded(content, 3)
        upright.thumbnail((_SMALLER_SIDE, _SMALLER_SIDE))
        stored = io.BytesIO()
        upright.save(stored, "JPEG", quality=90)
        return stored.getvalue(), "jpg"
    stored = io.BytesIO()
    Image.fromarray(content if content.shape[-1] != 1 else content[..., 0]).save(stored, "PNG")
    return stored.getvalue(), "png"


def replay_golden(bundle: Bundle, *, threads: int = 1) -> dict[str, GoldenReport]:
    """Replays a bundle's golden examples on each artifact that an installed engine can run.

    Args:
        bundle: An open bundle.
        threads: Threads per inference.

    Returns:
        The replays by kind; empty if the bundle has no golden examples.

    Raises:
        BundleError: The golden examples are damaged.
    """
    if bundle.manifest.golden is None:
        return {}
    by_kind: dict[str, list[Replay]] = {}
    for replay in selftest(bundle, threads=threads).replays:
        by_kind.setdefault(replay.artifact, []).append(replay)
    return {kind: _report(replays) for kind, replays in by_kind.items()}


def _report(replays: list[Replay]) -> GoldenReport:
    failed = [replay for replay in replays if replay.failed is not None]
    changes = [replay.max_abs_dp for replay in replays if replay.max_abs_dp is not None]
    finite = list(filter(math.isfinite, changes))
    reason = ""
    if failed:
        first = failed[0]
        reason = f"{len(failed)} of {len(replays)} golden examples differ, first {first.file}: {first.detail}"
    return GoldenReport(
        passed=not failed,
        examples=len(replays),
        max_abs_dp=max(finite) if finite else None,
        tolerance=replays[0].tolerance,
        reason=reason,
    )

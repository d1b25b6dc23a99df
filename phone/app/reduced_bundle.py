"""The bundle inside the app: one artifact, its rules and its golden scores, still a valid bundle.

With every artifact's scores, the golden examples of 1,000 classes would have 1.4 MB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from edge_runtime.bundle.bundle import Bundle, rule_files
from edge_runtime.bundle.labels import LABELS_FILE, labels_text
from edge_runtime.bundle.manifest import MANIFEST_FILE, Artifact, GoldenRef, encode_manifest
from edge_runtime.bundle.store import check_inside
from edge_runtime.common.errors import BundleError, UsageError
from edge_runtime.engines.selection import choose
from edge_runtime.golden import GOLDEN_FILE, golden_index, read_golden

KINDS = ("tflite-int8", "tflite-fp16", "tflite-fp32")
"""The artifacts that an app may contain, the smallest and fastest first."""


def chosen_artifact(bundle: Bundle, kind: str, *, allow_failed: bool = False) -> Artifact:
    """Returns the artifact of the app.

    Args:
        bundle: An open bundle.
        kind: One of :data:`KINDS`; a cascade is refused.
        allow_failed: Also take one whose verdict is ``fail``.

    Raises:
        UsageError: The bundle has no such artifact, or it is a cascade.
        GateFailedError: It failed its check.
    """
    cascade = bundle.manifest.cascade
    if cascade is not None and kind == cascade.kind:
        raise cascade_refused(kind)
    kinds = [entry.kind for entry in bundle.manifest.artifacts]
    if kind not in kinds:
        usable = [name for name in KINDS if name in kinds]
        cure = (
            f"Pass --artifact {usable[0]}."
            if usable
            else f"Export again with --artifacts {kind}: only .tflite artifacts run in the app."
        )
        raise UsageError(
            f"The bundle must contain the app's artifact. Received: {bundle.location} without {kind}; "
            f"it has {', '.join(kinds)}. {cure}"
        )
    return choose(bundle, kind, allow_failed=allow_failed)


def cascade_refused(kind: str) -> UsageError:
    """The error for an app of two artifacts.

    Args:
        kind: The cascade's name.
    """
    return UsageError(
        f"An app contains one artifact, and a cascade is two. Received: --artifact {kind}. "
        "Pass --artifact tflite-int8, the part that sees every image, or --artifact tflite-fp32."
    )


def reduced_bundle(bundle: Bundle, artifact: Artifact) -> dict[str, bytes]:
    """The files of a bundle that has this artifact only.

    Args:
        bundle: An open bundle.
        artifact: One of its artifacts.

    Returns:
        Content by path inside the bundle.

    Raises:
        BundleError: A file is missing or changed, or there are no golden examples of the artifact.
    """
    golden = read_golden(bundle) if bundle.manifest.golden is not None else None
    if golden is None or not golden.examples:
        raise BundleError(
            f"An app needs golden examples to test itself on the phone. Received: {bundle.location} without them. "
            "Export the bundle again with labelled images."
        )
    without = [example.file for example in golden.examples if artifact.kind not in example.scores]
    if without or artifact.kind not in golden.tolerance:
        raise BundleError(
            f"An app needs golden scores of its artifact. Received: {bundle.location} without those of "
            f"{artifact.kind}. Export the bundle again."
        )
    index = golden_index(golden, artifact.kind)
    manifest = msgspec.structs.replace(
        bundle.manifest,
        artifacts=(artifact,),
        golden=GoldenRef(GOLDEN_FILE, hashlib.sha256(index).hexdigest()),
        cascade=None,
    )
    model = bundle.model(artifact)
    # Images first, so that none can replace what follows.
    files = {example.file: bundle.read(example.file, example.sha256) for example in golden.examples}
    files |= {file: bundle.read(file, sha256) for file, sha256 in rule_files(manifest).items()}
    files |= {
        artifact.file: model.read_bytes() if isinstance(model, Path) else model,
        LABELS_FILE: labels_text(manifest.labels).encode(),
        GOLDEN_FILE: index,
    }
    return _only_plain(files | {MANIFEST_FILE: encode_manifest(manifest)})


def _only_plain(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Refuses paths that would leave the bundle's folder."""
    return {check_inside(path).as_posix(): data for path, data in files.items()}

"""The part of a bundle that a function needs: one artifact, the golden images, and nothing else."""

from __future__ import annotations

import hashlib

import msgspec

from edge_runtime.bundle import Bundle
from edge_runtime.golden import GOLDEN_FILE, Golden, read_golden
from edge_runtime.labels import LABELS_FILE
from edge_runtime.manifest import MANIFEST_FILE, Artifact, GoldenRef, encode_json


def bundle_files(bundle: Bundle, artifact: Artifact, folder: str) -> dict[str, bytes]:
    """The files of a bundle with a single artifact; every hash in it is verified or recomputed.

    The report, the check and a signature are left out, as they are about the whole bundle.

    Args:
        bundle: An open bundle.
        artifact: The entry to keep.
        folder: The folder to put it into.

    Returns:
        Content by path.

    Raises:
        BundleError: A file is missing or changed.
    """
    model = bundle.model(artifact)
    files = {
        artifact.file: model if isinstance(model, bytes) else model.read_bytes(),
        LABELS_FILE: bundle.read(LABELS_FILE),
    }
    golden = None
    if bundle.manifest.golden is not None:
        kept = _one_artifact(read_golden(bundle), artifact.kind)
        for example in kept.examples:
            files[example.file] = bundle.read(example.file, example.sha256)
        data = encode_json(kept)
        files[GOLDEN_FILE] = data
        golden = GoldenRef(GOLDEN_FILE, hashlib.sha256(data).hexdigest())
    manifest = msgspec.structs.replace(bundle.manifest, artifacts=(artifact,), golden=golden)
    files[MANIFEST_FILE] = encode_json(manifest)
    return {f"{folder}/{file}": data for file, data in files.items()}


def _one_artifact(golden: Golden, kind: str) -> Golden:
    return msgspec.structs.replace(
        golden,
        tolerance={name: value for name, value in golden.tolerance.items() if name == kind},
        examples=tuple(
            msgspec.structs.replace(
                example, scores={name: scores for name, scores in example.scores.items() if name == kind}
            )
            for example in golden.examples
        ),
    )

"""A bundle's cascade as an entry beside its artifacts, so that whoever opens one by its kind needs to know no more."""

# No "from __future__ import annotations": msgspec would compile each again when a bundle is first read (1 ms).
import hashlib

import msgspec

from edge_runtime.bundle.manifest import Artifact, Manifest

PRECISION = "cascade"
"""The precision of a cascade's entry: engines that run only some precisions do not run it."""


class CascadeEntry(Artifact, frozen=True, kw_only=True):
    """A cascade in the form of an artifact; never written, :class:`~edge_runtime.bundle.manifest.Cascade` is.

    ``file`` names both files, ``bytes`` is their sum, ``sha256`` the hash of what decides its answers: both
    files' hashes and the margin. ``input`` and ``output`` are the first file's.

    Attributes:
        parts: The artifact that sees every image, and the one that sees what it passes on.
        margin: An image is passed on if the first's best score minus its second best is below this, 0..1.
        passed_on: Share of the judging images that was passed on, 0..1.
    """

    parts: tuple[Artifact, Artifact]
    margin: float
    passed_on: float


def cascade_entry(manifest: Manifest) -> CascadeEntry | None:
    """The entry of a manifest's cascade; None if it has none.

    Args:
        manifest: A verified manifest, which lists both artifacts.
    """
    cascade = manifest.cascade
    if cascade is None:
        return None
    by_kind = {artifact.kind: artifact for artifact in manifest.artifacts}
    first, second = by_kind[cascade.first], by_kind[cascade.second]
    decides = f"{first.sha256} {second.sha256} {cascade.margin!r}"
    return CascadeEntry(
        kind=cascade.kind,
        file=f"{first.file} + {second.file}",
        format=first.format,
        precision=PRECISION,
        sha256=hashlib.sha256(decides.encode()).hexdigest(),
        bytes=first.bytes + second.bytes,
        input=first.input,
        output=first.output,
        verdict=cascade.verdict,
        metrics=cascade.metrics,
        temperature=cascade.temperature,
        outputs=first.outputs,
        rules=cascade.rules,
        reference=cascade.reference,
        parts=(first, second),
        margin=cascade.margin,
        passed_on=cascade.passed_on,
    )


def files_of(entry: Artifact) -> tuple[Artifact, ...]:
    """The artifacts whose files an entry needs: itself, or both parts of a cascade.

    Args:
        entry: An artifact or a cascade.
    """
    return entry.parts if isinstance(entry, CascadeEntry) else (entry,)


def reduced_manifest(manifest: Manifest, entry: Artifact) -> Manifest:
    """A manifest with one entry: the artifact alone, or a cascade with both its artifacts.

    Args:
        manifest: The whole manifest.
        entry: The entry to keep.
    """
    whole = isinstance(entry, CascadeEntry)
    return msgspec.structs.replace(
        manifest, artifacts=files_of(entry), cascade=manifest.cascade if whole else None
    )

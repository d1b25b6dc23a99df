"""The plan of a run: what is scored by what, and how it is cut. Two runs of one plan write the same rows."""

from __future__ import annotations

import hashlib
from typing import Literal

from edge_runtime.bundle.strict_json import Strict, encode_json

PLAN_FILE = "_plan.json"
"""Like ``_SUCCESS``, a name that readers of a folder of Parquet files leave out."""

PLAN_KEY = b"snapship.plan"
"""Key of the plan's hash in the footer of a part."""

ERRORS_KEY = b"snapship.errors"
"""Key of the number of rows with an error."""


class Plan(Strict, frozen=True):
    """``_plan.json``.

    Attributes:
        schema_version: 1.
        inputs_sha256: Hash of all photos, in order: their names, and the sizes of what was listed.
        images: Number of photos.
        shard_size: Photos of a shard; the last one may have fewer. Shard *i* begins at photo *i* times this.
        shards: Number of shards, and of parts.
        manifest_sha256: Hash of the bundle's manifest, which holds those of its files.
        artifact: Kind of the artifact.
        engine: The engine as asked for, such as ``auto``.
        top_k: Classes of a row.
        max_bytes: Limit of an encoded image.
        max_pixels: Limit of an image's width times height.
    """

    schema_version: Literal[1]
    inputs_sha256: str
    images: int
    shard_size: int
    shards: int
    manifest_sha256: str
    artifact: str
    engine: str
    top_k: int
    max_bytes: int
    max_pixels: int

    @property
    def sha256(self) -> str:
        """Hash of the plan, 64 hex digits."""
        return hashlib.sha256(self.encoded()).hexdigest()

    def encoded(self) -> bytes:
        """The file's content."""
        return encode_json(self)

    def images_of(self, shard: int) -> int:
        """Number of photos of a shard.

        Args:
            shard: From 0.
        """
        return min(self.shard_size, self.images - shard * self.shard_size)


def part_name(shard: int, shards: int) -> str:
    """File of a shard; sorted by name, parts are in the order of the photos.

    Args:
        shard: From 0.
        shards: Number of shards.
    """
    return f"part-{shard:0{max(5, len(str(shards - 1)))}d}.parquet"


def differences(one: Plan, other: Plan) -> list[str]:
    """What differs between two plans, for people.

    Args:
        one: The earlier plan.
        other: The present one.
    """
    words = {
        "inputs_sha256": "the photos", "manifest_sha256": "the bundle", "artifact": "--artifact",
        "engine": "--engine", "shard_size": "--shard-size", "top_k": "--top-k", "max_bytes": "--max-bytes",
        "max_pixels": "--max-pixels",
    }  # fmt: skip
    return [word for field, word in words.items() if getattr(one, field) != getattr(other, field)]

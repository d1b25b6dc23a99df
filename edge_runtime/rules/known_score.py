"""How known an image looks: one number per image, the higher the more it looks like the training images.

Two scores, which :class:`~edge_runtime.bundle.rules.KnownRule` names. Both compute in float64 and round the
result to float32 once, at the end, so that the order of sums does not matter.

``entropy``, from the scores ``p`` of the classes, without parameters::

    sum of p[c] * ln(p[c]) over classes with p[c] > 0          (0 for a sure model, -ln(classes) for a clueless one)

``nearest``, from the output ``features`` ``f`` of ``size`` numbers: the cosine of the angle to the nearest of some
training images, seen from the mean of all, in the directions in which they differ most::

    x[i] = f[i] - mean[i]                                      i < size
    y[j] = sum of x[i] * directions[j][i] over i               j < rank
    y    = y / sqrt(sum of y[j]^2)                             all 0 if that root is 0
    score = largest of (sum of y[j] * images[k][j] over j)     k < count

The parameter file, little-endian, without gaps::

    offset  type                  what
    0       4 bytes               "SNKN"
    4       uint32                version, 1
    8       uint32                size, the length of the features
    12      uint32                rank
    16      uint32                count
    20      float32[size]         mean
    ...     float16[rank][size]   directions
    ...     float16[count][rank]  images, each scaled to length 1 before it is rounded

A score that is NaN, from features that are not finite, reaches no threshold.
"""

from __future__ import annotations

import math
import struct
from typing import NamedTuple

import numpy as np

from edge_runtime.bundle.rules import KnownRule
from edge_runtime.common.arrays import Float64Array
from edge_runtime.common.errors import BundleError, ModelFileError
from edge_runtime.common.text import quoted
from edge_runtime.engines.result import Float32Array

ENTROPY = "entropy"
NEAREST = "nearest"

KNOWN_SCORES = (ENTROPY, NEAREST)
"""The scores that this version computes."""

MAGIC = b"SNKN"
VERSION = 1
HEADER = struct.Struct("<4sIIII")


class NearestParameters(NamedTuple):
    """The parameters of the score ``nearest``; see the head of this file.

    Attributes:
        mean: float64 ``[size]``.
        directions: float64 ``[rank, size]``.
        images: float64 ``[count, rank]``.
    """

    mean: Float64Array
    directions: Float64Array
    images: Float64Array

    def encoded(self) -> bytes:
        """The parameter file, with numbers rounded to its types."""
        rank, size = self.directions.shape
        header = HEADER.pack(MAGIC, VERSION, size, rank, len(self.images))
        return header + b"".join(
            (
                self.mean.astype("<f4").tobytes(),
                self.directions.astype("<f2").tobytes(),
                self.images.astype("<f2").tobytes(),
            )
        )

    @classmethod
    def decoded(cls, data: bytes, name: str) -> NearestParameters:
        """Reads a parameter file.

        Args:
            data: The file.
            name: Its name, for messages.

        Raises:
            BundleError: It is another file, of another version, of another length than it says, or holds
                numbers that are not finite.
        """
        if len(data) < HEADER.size or data[:4] != MAGIC:
            raise _damaged(name, f"{len(data)} bytes that begin {quoted(data[:4].decode('latin-1'))}")
        _, version, size, rank, count = HEADER.unpack_from(data)
        if version != VERSION:
            raise _damaged(name, f"version {version}, this snapship reads {VERSION}")
        told = HEADER.size + 4 * size + 2 * rank * size + 2 * count * rank
        if not (size and rank and count) or len(data) != told:
            raise _damaged(name, f"{len(data):,} bytes, by its header {told:,}")
        at = HEADER.size
        mean = np.frombuffer(data, "<f4", size, at)
        directions = np.frombuffer(data, "<f2", rank * size, at + 4 * size).reshape(rank, size)
        images = np.frombuffer(data, "<f2", count * rank, len(data) - 2 * count * rank).reshape(count, rank)
        found = cls(*(part.astype(np.float64) for part in (mean, directions, images)))
        if not all(np.isfinite(part).all() for part in found):
            raise _damaged(name, "numbers that are not finite")
        return found


def _damaged(name: str, found: str) -> BundleError:
    return BundleError(
        f"The parameters of a rule must be as the export wrote them. Received: {name}, {found}. "
        "Copy the bundle again, update snapship, or export again."
    )


class KnownScorer:
    """Computes the score of a rule. Safe to use from several threads."""

    def __init__(self, parameters: NearestParameters | None, name: str = "") -> None:
        """Prepares; :meth:`of` is the usual way.

        Args:
            parameters: Those of ``nearest``; None for ``entropy``.
            name: The parameter file's name, for messages.
        """
        self._parameters, self._name = parameters, name

    @classmethod
    def of(cls, rule: KnownRule, parameters: bytes | None) -> KnownScorer:
        """The scorer of a rule.

        Args:
            rule: The rule.
            parameters: The content of its file; None if it has none.

        Raises:
            BundleError: The parameters are missing or damaged, or the score is of a newer version.
        """
        if rule.score not in KNOWN_SCORES:
            raise BundleError(
                f"A rule's score must be one of {', '.join(KNOWN_SCORES)}. Received: {quoted(rule.score)}. "
                "Update snapship, then use the bundle."
            )
        needed = rule.score == NEAREST
        if needed and (parameters is None or not rule.output):
            raise BundleError(
                f"The score {NEAREST} needs an output of the model and a file of parameters. Received: a rule without "
                "them. Export the bundle again."
            )
        return cls(
            NearestParameters.decoded(parameters, rule.file) if needed and parameters else None, rule.file
        )

    def score(self, scores: Float32Array, extra: Float32Array | None) -> float:
        """How known an image looks.

        Args:
            scores: float32 ``[classes]``, the model's own.
            extra: float32 ``[size]``, the output that the rule names; unused by ``entropy``.

        Returns:
            A float32 as a float; higher is more known. NaN if the features are not finite.

        Raises:
            ModelFileError: The output is missing, or of another size than the parameters.
        """
        if self._parameters is None:
            return negative_entropy(scores)
        return nearest(self._parameters, extra, self._name)


def negative_entropy(scores: Float32Array) -> float:
    """The score ``entropy``; see the head of this file.

    Args:
        scores: float32 ``[classes]``.
    """
    shares = scores[scores > 0].astype(np.float64)
    return float(np.float32((shares * np.log(shares)).sum()))


def nearest(parameters: NearestParameters, features: Float32Array | None, name: str = "") -> float:
    """The score ``nearest``; see the head of this file.

    Args:
        parameters: Its parameters.
        features: float32 ``[size]``.
        name: The parameter file's name, for messages.

    Raises:
        ModelFileError: The features are missing, or of another size.
    """
    size = len(parameters.mean)
    if features is None or features.shape != (size,):
        raise ModelFileError(
            f"A model's features must be of the size that its rule was made for, {size}. Received: "
            f"{'none' if features is None else list(features.shape)}, for {name or 'the rule'}. Export the bundle again."
        )
    with np.errstate(invalid="ignore", over="ignore"):
        seen = parameters.directions @ (features.astype(np.float64) - parameters.mean)
        length = math.sqrt(float(seen @ seen)) if np.isfinite(seen).all() else math.nan
        if length == 0.0:
            return 0.0
        return float(np.float32((parameters.images @ (seen / length)).max()))

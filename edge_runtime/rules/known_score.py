"""How known an image looks: one number per image, the higher the more it looks like the training images.

Two scores, which :class:`~edge_runtime.bundle.rules.KnownRule` names. Both compute in float64 and round the
result to float32 once, at the end, so that the order of sums does not matter.

``entropy``, from the scores ``p`` of the classes, without parameters::

    sum of p[c] * ln(p[c]) over classes with p[c] > 0          (0 for a sure model, -ln(classes) for a clueless one)

``nearest``, from the output ``features`` ``f`` of ``size`` numbers: minus the Mahalanobis distance, of the features
scaled to length 1, to the nearest of some training images. Directions in which these differ little count more, and
what lies outside of all directions most::

    u[i] = f[i] / sqrt(sum of f[i]^2)                          all 0 if that root is 0
    x[i] = u[i] - mean[i]                                      i < size
    y[j] = sum of directions[j][i] * x[i] over i               j < rank
    rest = (sum of x[i]^2) - (sum of y[j]^2)                   0 if that is below 0
    d[k] = sum of (y[j] * scales[j] - images[k][j])^2 over j   k < count
    score = -sqrt((smallest of d[k]) + rest * rest_scale)

The parameter file, little-endian, without gaps::

    offset  type                  what
    0       4 bytes               "SNKN"
    4       uint32                version, 1
    8       uint32                size, the length of the features
    12      uint32                rank
    16      uint32                count
    20      float32               rest_scale
    24      float32[size]         mean
    ...     float32[rank]         scales
    ...     float16[rank][size]   directions
    ...     float16[count][rank]  images, as y[j] * scales[j]

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
HEADER = struct.Struct("<4sIIIIf")


class NearestParameters(NamedTuple):
    """The parameters of the score ``nearest``; see the head of this file.

    Attributes:
        mean: float64 ``[size]``.
        scales: float64 ``[rank]``.
        rest_scale: Of the squared length outside of all directions.
        directions: float64 ``[rank, size]``, orthonormal.
        images: float64 ``[count, rank]``.
    """

    mean: Float64Array
    scales: Float64Array
    rest_scale: float
    directions: Float64Array
    images: Float64Array

    def encoded(self) -> bytes:
        """The parameter file, with numbers rounded to its types."""
        rank, size = self.directions.shape
        return b"".join(
            (
                HEADER.pack(MAGIC, VERSION, size, rank, len(self.images), self.rest_scale),
                self.mean.astype("<f4").tobytes(),
                self.scales.astype("<f4").tobytes(),
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
        _, version, size, rank, count, rest_scale = HEADER.unpack_from(data)
        if version != VERSION:
            raise _damaged(name, f"version {version}, this snapship reads {VERSION}")
        told = file_bytes(size, rank, count)
        if not (size and rank and count) or len(data) != told:
            raise _damaged(name, f"{len(data):,} bytes, by its header {told:,}")
        ends = [HEADER.size, HEADER.size + 4 * size, HEADER.size + 4 * (size + rank), told - 2 * count * rank]
        mean = np.frombuffer(data, "<f4", size, ends[0]).astype(np.float64)
        scales = np.frombuffer(data, "<f4", rank, ends[1]).astype(np.float64)
        directions = np.frombuffer(data, "<f2", rank * size, ends[2]).astype(np.float64)
        images = np.frombuffer(data, "<f2", count * rank, ends[3]).astype(np.float64)
        found = cls(mean, scales, rest_scale, directions.reshape(rank, size), images.reshape(count, rank))
        if not all(np.isfinite(part).all() for part in found):
            raise _damaged(name, "numbers that are not finite")
        return found


def file_bytes(size: int, rank: int, count: int) -> int:
    """Size of a parameter file.

    Args:
        size: Length of the features.
        rank: Number of directions.
        count: Number of images.
    """
    return HEADER.size + 4 * (size + rank) + 2 * rank * (size + count)


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
        if rule.score != NEAREST:
            return cls(None)
        if parameters is None or not rule.output:
            raise BundleError(
                f"The score {NEAREST} needs an output of the model and a file of parameters. Received: a rule without "
                "them. Export the bundle again."
            )
        return cls(NearestParameters.decoded(parameters, rule.file), rule.file)

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
        found = "none" if features is None else str(list(features.shape))
        raise ModelFileError(
            f"A model's features must be of the size that its rule was made for, {size}. Received: {found}, for "
            f"{name or 'the rule'}. Export the bundle again."
        )
    given = features.astype(np.float64)
    if not np.isfinite(given).all():
        return math.nan
    length = math.sqrt(float(given @ given))
    x = given / (length or 1.0) - parameters.mean
    y = parameters.directions @ x
    rest = max(0.0, float(x @ x) - float(y @ y))
    apart = y * parameters.scales - parameters.images
    squares = float(np.einsum("kj,kj->k", apart, apart).min())
    return float(np.float32(-math.sqrt(squares + rest * parameters.rest_scale)))

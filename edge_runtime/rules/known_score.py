"""Stand-in until builder "unknown" delivers this module: the best score as how known an image looks."""

from __future__ import annotations

from edge_runtime.bundle.rules import KnownRule
from edge_runtime.common.errors import BundleError
from edge_runtime.common.text import quoted
from edge_runtime.engines.result import Float32Array


class KnownScorer:
    """How known an image looks: higher is more known."""

    @classmethod
    def of(cls, rule: KnownRule, parameters: bytes | None) -> KnownScorer:
        """Makes the scorer of a rule."""
        if rule.score != "top":
            raise BundleError(
                f"A rule's score must be one that this snapship knows. Received: {quoted(rule.score)}. Update snapship."
            )
        return cls()

    def score(self, scores: Float32Array, extra: Float32Array | None) -> float:
        """Scores an image."""
        return float(scores.max())

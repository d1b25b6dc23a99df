"""Applies an artifact's rules to its scores: is the image known, may the best class be believed, which may be true.

Rules judge the scores as the model gives them, whatever temperature, lists or threshold a caller chose. Every
comparison is of a float32 score, made a float64, with the manifest's float64: ports to other languages compare alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.bundle.rules import Rules, check_rules
from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.base import Engine
from edge_runtime.engines.result import Float32Array, Result, rank

if TYPE_CHECKING:
    from edge_runtime.rules.known_score import KnownScorer


class ArtifactRules:
    """The rules of one artifact, ready to apply. Safe to use from several threads.

    Attributes:
        output: Name of the extra output that they read; empty for none.
    """

    def __init__(self, rules: Rules, labels: Sequence[str], scorer: KnownScorer | None = None) -> None:
        """Prepares rules; :meth:`of` is the usual way.

        Args:
            rules: The rules.
            labels: The model's labels.
            scorer: Says how known an image looks; needed if, and only if, there is a rule for that.
        """
        self.output = rules.known.output if rules.known is not None else ""
        self._rules = rules
        self._labels = labels
        self._scorer = scorer

    @classmethod
    def of(cls, bundle: Bundle, artifact: Artifact, engine: Engine) -> ArtifactRules | None:
        """Reads the rules of an artifact, and the file of parameters that they name.

        Args:
            bundle: An open bundle.
            artifact: One of its artifacts.
            engine: Its model file, loaded.

        Returns:
            None if the artifact has no rules.

        Raises:
            BundleError: The rules or their file are missing something, changed or of another model, or a rule
                is not one that this version knows.
        """
        rules = artifact.rules
        if rules is None:
            return None
        place = f"{bundle.location}: {artifact.kind}"
        check_rules(rules, artifact.sha256, [spec.name for spec in artifact.outputs], place)
        scorer = None
        if rules.known is not None:
            # Here, since most artifacts have no such rule.
            from edge_runtime.rules.known_score import KnownScorer

            scorer = KnownScorer.of(rules.known, bundle.rule_file(artifact))
            extra = None
            if rules.known.output:
                extra = np.zeros(_size(rules.known.output, artifact, engine, place), np.float32)
            # Once without an image, so that parameters of another model fail here and not at the first image.
            scorer.score(np.zeros(len(bundle.manifest.labels), np.float32), extra)
        return cls(rules, bundle.manifest.labels, scorer)

    def applied(self, result: Result, scores: Float32Array, extra: Float32Array | None) -> Result:
        """Adds what the rules say to a result.

        Args:
            result: What the caller's options made of the scores.
            scores: float32 ``[classes]``, as the model gives them.
            extra: float32 ``[size]``, the output named :attr:`output`; None if it is empty.

        Returns:
            The same predictions and margin. ``answered`` is False, too, if the first prediction is not the
            model's best class, because a list or a threshold removed it.

        Raises:
            ModelFileError: A score is not a finite number.
        """
        rules = self._rules
        most = 1
        if rules.sets is not None:
            most = max(1, int(np.count_nonzero(scores.astype(np.float64) >= rules.sets.threshold)))
        own = rank(scores, self._labels, most)
        known = answered = None
        if rules.known is not None and self._scorer is not None:
            # NaN reaches no threshold: what cannot be judged is not known.
            answered = known = self._scorer.score(scores, extra) >= rules.known.threshold
        if rules.abstain is not None:
            sure = own.top.score if rules.abstain.score == "top" else own.margin
            answered = answered is not False and sure >= rules.abstain.threshold
        if answered:
            answered = bool(result) and result.top.index == own.top.index
        candidates = own.predictions if rules.sets is not None else None
        return Result(result.predictions, result.margin, known, answered, candidates)


def _size(output: str, artifact: Artifact, engine: Engine, place: str) -> int:
    """Length of an extra output, which the file must have as the manifest says."""
    told = {spec.name: spec.shape[1:] for spec in artifact.outputs}
    found = {spec.name: spec.shape[1:] for spec in engine.outputs}
    if found.get(output) != told[output]:
        raise ModelFileError(
            f"A model file must have the output that its rule reads, {output} {told[output]}. Received: {place} on "
            f"{engine.name} with {found or 'none'}. Export the bundle again."
        )
    return math.prod(map(int, told[output]))

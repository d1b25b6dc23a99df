"""The app's rules judge as the runtime's: the same scores and features, to both, at, above and below thresholds."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.bundle.rules import AbstainRule, KnownRule, Rules, SetRule
from edge_runtime.engines.result import rank
from edge_runtime.rules import applying, known_score
from tests.functional.phone.web.classify.test_modules_in_node import CORE, ROOT, run_node

TESTS = Path(__file__).with_name("rules.test.mjs")
FEATURES, RANK, IMAGES = 12, 5, 30


def score_vectors(chance: np.random.Generator, classes: int) -> list[Any]:
    """Of sure, unsure and clueless models, with equal scores among them."""
    found = [chance.dirichlet(np.full(classes, alpha)) for alpha in (0.05, 0.3, 1.0, 20.0) for _ in range(12)]
    found += [np.full(classes, 1.0 / classes), np.eye(classes)[classes - 1]]
    return [scores.astype(np.float32) for scores in found]


def parameters(chance: np.random.Generator) -> Any:
    """Of the score ``nearest``, with float16 numbers of every size, subnormal ones too."""
    directions = np.linalg.qr(chance.normal(size=(FEATURES, RANK)))[0].T
    images = chance.normal(size=(IMAGES, RANK))
    images[0] *= 1e-6
    return known_score.NearestParameters(
        0.1 * chance.normal(size=FEATURES), chance.uniform(1, 9, RANK), 70.0, directions, images
    )


def case(rules: Rules, vectors: list[Any], extras: list[Any], data: bytes | None) -> dict[str, Any]:
    """Rules, images, and what the runtime says of each."""
    labels = [str(index) for index in range(len(vectors[0]))]
    scorer = known_score.KnownScorer.of(rules.known, data) if rules.known is not None else None
    own = applying.ArtifactRules(rules, labels, scorer)
    images = []
    for scores, extra in zip(vectors, extras, strict=True):
        result = own.applied(rank(scores, labels, 5), scores, extra)
        candidates = result.candidates and [entry.index for entry in result.candidates]
        images.append({
            "scores": scores.tolist(), "extra": None if extra is None else extra.tolist(), "known": result.known,
            "answered": result.answered, "candidates": candidates,
        })  # fmt: skip
    outputs = [{"name": "features", "dtype": "float32", "shape": [1, 1, 1, FEATURES]}]
    artifact = {"rules": msgspec.to_builtins(rules), "outputs": outputs}
    text = None if data is None else base64.b64encode(data).decode()
    return {"labels": len(labels), "artifact": artifact, "parameters": text, "images": images}


def cases() -> list[dict[str, Any]]:
    """Every kind of rule, with thresholds that some images meet to the bit."""
    chance = np.random.default_rng(18)
    found = []
    for classes in (10, 1):
        vectors = score_vectors(chance, classes)
        none = [None] * len(vectors)
        tops = sorted(float(scores.max()) for scores in vectors)
        margins = sorted(rank(scores, "0123456789", 2).margin for scores in vectors)
        entropy = known_score.KnownScorer.of(KnownRule("entropy", 0.0, 0.95), None)
        entropies = sorted(entropy.score(scores, None) for scores in vectors)
        middle = len(vectors) // 2
        abstains = [
            AbstainRule(0.05, "top", tops[middle], 1, 0), AbstainRule(0.05, "margin", margins[middle], 1, 0)
        ]  # fmt: skip
        # What every class has where all are equal.
        sets = SetRule(0.9, float(vectors[-2][0]))
        known = KnownRule("entropy", entropies[middle // 2], 0.95)
        for rules in (
            *(Rules(1, "", abstain=abstain) for abstain in abstains),
            Rules(1, "", sets=sets), Rules(1, "", known=known), Rules(1, "", 0.95, abstains[0], sets, known),
        ):  # fmt: skip
            found.append(case(rules, vectors, none, None))
    made = parameters(chance)
    vectors = score_vectors(chance, 10)
    extras: list[Any] = [chance.normal(size=FEATURES).astype(np.float32) for _ in vectors]
    extras[0], extras[1] = np.zeros(FEATURES, np.float32), np.full(FEATURES, np.nan, np.float32)
    data = made.encoded()
    read = known_score.NearestParameters.decoded(data, "x")
    middle_score = sorted(known_score.nearest(read, extra) for extra in extras[2:])[len(extras) // 2]
    known = KnownRule("nearest", middle_score, 0.95, "features", "rules/x.bin", "0" * 64)
    found.append(case(Rules(1, "", 0.95, abstains[0], None, known), vectors, extras, data))
    return found


def test_rules_judge_as_the_runtimes(tmp_path: Path) -> None:
    if not CORE.is_file():
        pytest.skip("needs core.wasm: make wasm")
    (tmp_path / "cases.json").write_text(json.dumps(cases()).replace("NaN", "null"), encoding="utf-8")
    shutil.copy(ROOT / "tests" / "data" / "digits.bundle" / "manifest.json", tmp_path)
    run_node("--test", "--test-reporter=tap", str(TESTS), folder=tmp_path)

"""A bundle whose rules do not fit is refused when it is opened; one that fits is read in one inference."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_runtime import Bundle, Classifier
from edge_runtime.bundle.manifest import TensorSpec
from edge_runtime.bundle.rules import AbstainRule, KnownRule, ReferenceStatistics, Rules, SetRule
from edge_runtime.common.errors import BundleError, ModelFileError
from edge_runtime.engines.result import Float32Array
from edge_runtime.golden import verify_files
from edge_runtime.image.preprocess import UInt8Array
from edge_runtime.rules.known_score import NearestParameters

FEATURES = TensorSpec("features", "float32", (1, 3))
NEAREST = KnownRule("nearest", -0.5, 0.95, output="features")
RED = Image.new("RGB", (8, 8), (250, 10, 10))

PutRules = Callable[..., None]


def parameters(size: int = 3) -> bytes:
    """Only reddish images look known."""
    return NearestParameters(np.zeros(size), np.ones(size), 1.0, np.eye(size), np.eye(size)[:1]).encoded()


@pytest.fixture
def featured(arithmetic: Any, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every classifier runs on an engine that gives its scores as features, too; lists what was called."""
    calls: list[str] = []

    class Featured(arithmetic):  # type: ignore[misc]
        outputs = (FEATURES,)

        def run(self, pixels: UInt8Array) -> Float32Array:
            calls.append("run")
            scores: Float32Array = super().run(pixels)
            return scores

        def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
            calls.append(f"run_with {output}")
            scores = super().run(pixels)
            return scores, 2 * scores

    monkeypatch.setattr("edge_runtime.engines.opening.open_engine", lambda *args, **options: Featured())
    return calls


def rules(**fields: Any) -> Rules:
    return Rules(100, "0" * 64, **fields)


def test_one_inference_gives_scores_and_features(
    make_bundle: Callable[..., Path], put_rules: PutRules, featured: list[str]
) -> None:
    folder = make_bundle()
    put_rules(folder, rules(known=NEAREST), parameters=parameters(), outputs=(FEATURES,))
    with Classifier.open(folder) as classifier:
        assert classifier.classify(RED).known is True
        assert classifier.classify(Image.new("RGB", (8, 8), (0, 0, 250))).known is False
        assert featured == ["run_with features"] * 2
        classifier.scores(RED)
        assert featured[2:] == ["run"]
    assert verify_files(Bundle.open(folder)) == 6


def test_without_rules_on_features_nothing_more_is_run(
    make_bundle: Callable[..., Path], put_rules: PutRules, featured: list[str]
) -> None:
    folder = make_bundle()
    with Classifier.open(folder) as classifier:
        assert classifier.classify(RED).known is None
    put_rules(folder, rules(known=KnownRule("entropy", -0.4, 0.95)), outputs=(FEATURES,))
    with Classifier.open(folder) as classifier:
        assert classifier.classify(RED).known is True
    assert featured == ["run", "run"]


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (rules(known=NEAREST), {}, "read an output of its own artifact"),
        (rules(sets=SetRule(0.9, 0.1), model_sha256="1" * 64), {}, "those of their own model file"),
        (rules(known=KnownRule("entropy", 0.0, 0.9, file="a.bin")), {}, "come with its sha256"),
        (rules(known=KnownRule("entropy", 0.0, 0.9, file="../a.bin", sha256="0")), {}, "inside the bundle"),
        (rules(known=KnownRule("entropy", 0.0, 0.9, file="a.bin", sha256="0")), {}, "must hold a.bin"),
        (rules(known=KnownRule("of tomorrow", 0.0, 0.9)), {}, "Update snapship"),
        (rules(known=NEAREST), {"outputs": (FEATURES,), "parameters": b"SNKN"}, "as the export wrote them"),
        (rules(known=NEAREST), {"outputs": (FEATURES,), "parameters": parameters(4)}, "size that its rule"),
        (
            rules(),
            {"reference": ReferenceStatistics(1, (1,), (0,) * 20, (0,) * 20)},
            "a number per class and per bin",
        ),
    ],
)
def test_rules_that_do_not_fit_are_refused_when_the_bundle_opens(
    make_bundle: Callable[..., Path],
    put_rules: PutRules,
    featured: list[str],
    given: Rules,
    more: dict[str, Any],
    message: str,
) -> None:
    folder = make_bundle()
    put_rules(folder, given, **more)
    with pytest.raises(BundleError, match=message) as error:
        Classifier.open(folder)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    assert "Received: " in str(error.value)


def test_threshold_that_is_no_number_is_refused(
    make_bundle: Callable[..., Path], put_rules: PutRules
) -> None:
    folder = make_bundle()
    put_rules(folder, rules(abstain=AbstainRule(0.05, "top", 0.5, 9, 0)))
    path = folder / "manifest.json"
    for bad in ("NaN", "null", "1e999"):
        text = path.read_text().replace('"threshold": 0.5', f'"threshold": {bad}')
        path.write_text(text)
        with pytest.raises(BundleError):
            Bundle.open(folder)
        path.write_text(text.replace(f'"threshold": {bad}', '"threshold": 0.5'))
    Bundle.open(folder)


def test_changed_parameters_are_found_by_whoever_opens_and_whoever_verifies(
    make_bundle: Callable[..., Path], put_rules: PutRules, featured: list[str]
) -> None:
    folder = make_bundle()
    put_rules(folder, rules(known=NEAREST), parameters=parameters(), outputs=(FEATURES,))
    file = (
        folder / json.loads((folder / "manifest.json").read_text())["artifacts"][0]["rules"]["known"]["file"]
    )
    file.write_bytes(parameters()[:-1] + b"\1")
    assert hashlib.sha256(file.read_bytes()).digest() != hashlib.sha256(parameters()).digest()
    for use in (Classifier.open, lambda folder: verify_files(Bundle.open(folder))):
        with pytest.raises(BundleError, match="must be unchanged"):
            use(folder)


def test_engine_without_the_output_is_refused_when_the_bundle_opens(
    make_bundle: Callable[..., Path], put_rules: PutRules, arithmetic: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arithmetic, "outputs", (), raising=False)
    folder = make_bundle()
    put_rules(folder, rules(known=NEAREST), parameters=parameters(), outputs=(FEATURES,))
    with pytest.raises(ModelFileError, match="have the output that its rule reads"):
        Classifier.open(folder)

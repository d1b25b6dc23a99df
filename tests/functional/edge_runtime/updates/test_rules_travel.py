"""Rules and their files come along: by ``pull``, into a running service, and into a package for the cloud."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime import Bundle, Classifier
from edge_runtime.bundle.rules import AbstainRule, KnownRule, Rules, SetRule
from edge_runtime.golden import verify_files
from edge_runtime.updates import LiveClassifier, PublicKey, pull, sign
from serverless.deploy.package.package_files import bundle_files
from snapship.cli import cli

MakeBundle = Callable[[str], Path]
PutRules = Callable[..., None]

RULES = Rules(
    350, "0" * 64, abstain=AbstainRule(0.05, "top", 0.95, 320, 6), sets=SetRule(0.9, 0.05),
    known=KnownRule("entropy", -0.4, 0.95),
)  # fmt: skip

PARAMETERS = np.arange(8, dtype="<f4").tobytes()
"""Unused by the score, but named by the rule, and so a file of the bundle."""


@pytest.fixture
def ruled(make_bundle: MakeBundle, put_rules: PutRules) -> Path:
    bundle = make_bundle("ruled")
    put_rules(bundle, RULES, parameters=PARAMETERS)
    return bundle


def said(bundle: Path | Bundle, image: Path) -> dict[str, Any]:
    with Classifier.open(bundle) as classifier:
        return classifier.classify(image).to_dict()


def test_pull_brings_rules_and_their_file_under_the_signature(
    ruled: Path,
    zipped: Callable[[Path], Path],
    private_key: Path,
    public_keys: tuple[PublicKey, ...],
    digits_bundle: Path,
    tmp_path: Path,
) -> None:
    image = digits_bundle / "golden/3.png"
    sign(ruled, private_key)
    pull(str(zipped(ruled)), tmp_path / "models", keys=public_keys)
    current = tmp_path / "models/current"
    assert (current / "rules/known.bin").read_bytes() == PARAMETERS
    assert said(current, image) == said(ruled, image)
    assert said(current, image)["answered"] is False


def test_pull_refuses_a_bundle_without_the_file_of_its_rule(ruled: Path, tmp_path: Path) -> None:
    (ruled / "rules/known.bin").unlink()
    found = CliRunner().invoke(cli, ["pull", str(ruled), "--to", str(tmp_path / "models")])
    assert found.exit_code == 2
    assert not (tmp_path / "models").exists()


def test_pull_of_a_newer_schema_says_to_update_the_device_first(ruled: Path, tmp_path: Path) -> None:
    manifest = json.loads((ruled / "manifest.json").read_text())
    (ruled / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 3}))
    found = CliRunner().invoke(cli, ["pull", str(ruled), "--to", str(tmp_path / "models")])
    assert found.exit_code == 2
    assert "Received: 3. A newer snapship wrote it: update snapship on this device, then pull" in found.stderr
    assert len(found.stderr.splitlines()) == 1
    assert not (tmp_path / "models").exists()


def test_running_service_applies_the_rules_of_the_bundle_in_use(
    ruled: Path, make_bundle: MakeBundle, digits_bundle: Path, tmp_path: Path
) -> None:
    image = digits_bundle / "golden/3.png"
    home = tmp_path / "models"
    pull(str(make_bundle("plain")), home)
    with LiveClassifier(home, every_s=float("inf")) as live:
        assert live.classify(image).answered is None
        for bundle, answered in ((ruled, False), (make_bundle("again"), None)):
            pull(str(bundle), home)
            assert live.reload()
            assert live.classify(image).answered is answered


def test_package_holds_the_one_artifact_with_its_rules_and_their_file(
    ruled: Path, digits_bundle: Path, tmp_path: Path
) -> None:
    bundle = Bundle.open(ruled)
    for file, data in bundle_files(bundle, bundle.artifact("tflite-int8"), "bundle").items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    packed = Bundle.open(tmp_path / "bundle")
    assert verify_files(packed) == verify_files(bundle)
    image = digits_bundle / "golden/3.png"
    assert said(packed, image) == said(ruled, image)

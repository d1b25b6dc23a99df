"""The templates under cfn-lint, which knows the schemas that AWS publishes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import Code, template, text
from serverless.deploy.traffic import stage_templates

CODE = Code("packages", "flowers.zip", "ab" * 32)
LIVE = Code("packages", "flowers-before.zip", "cd" * 32)

EVERYTHING: dict[str, Any] = {
    "cors_origins": ("https://example.com",),
    "reserved_concurrency": 10,
    "input_bucket": "acme-images",
    "queue": True,
    "warm_up_minutes": 5,
    "alarm_topic": "arn:aws:sns:eu-central-1:123456789012:alarms",
    "permissions_boundary": "arn:aws:iam::123456789012:policy/bound",
    "environment": {"SNAPSHIP_TOP_K": "3"},
    "tags": {"team": "vision"},
}

COMBINATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "signed": EVERYTHING,
    "keys": {**EVERYTHING, "auth": "api-key", "keys_parameter": "/snapship/flowers/keys"},
    "open": {"auth": "none", "snapstart": True, "cors_origins": ("https://example.com",)},
    "api": {**EVERYTHING, "front": "http-api", "arch": "arm64", "python": "3.14"},
    "open-api": {"front": "http-api", "auth": "none", "provisioned_concurrency": 2},
    "their-bucket": {
        "input_bucket": "acme-images",
        "bucket_exists": True,
        "results": "s3://acme-results/flowers/",
        "warm_up_minutes": 1,
    },
    "limits": {"memory_mb": 10240, "storage_mb": 10240, "timeout_s": 900, "queue": True},
}


@pytest.fixture(scope="module")
def cfn_lint() -> Path:
    folder = Path(sys.prefix) / "acceptance" / "cfn-lint"
    if not (folder / ".ready").is_file():
        log = folder / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        pytest.skip(f"needs cfn-lint of make acceptance: {(lines or ['not installed'])[-1]}")
    return folder / "bin" / "cfn-lint"


def test_cfn_lint_finds_nothing_in_any_template_and_something_in_a_broken_one(
    cfn_lint: Path, tmp_path: Path
) -> None:
    for name, options in COMBINATIONS.items():
        made = template(Deployment("flowers", **options), CODE)
        (tmp_path / f"{name}.json").write_text(text(made), encoding="utf-8")
        # Without a package, as --template-only writes it.
        unpackaged = template(Deployment("flowers", **options), Code(None, None, "ab" * 32, zipped=False))
        (tmp_path / f"{name}-template-only.json").write_text(text(unpackaged), encoding="utf-8")
        # What is deployed on the way there, and during a canary.
        held = stage_templates.with_new_version(template(Deployment("flowers"), LIVE), made, "3")
        (tmp_path / f"{name}-held-back.json").write_text(text(held), encoding="utf-8")
        (tmp_path / f"{name}-canary.json").write_text(
            text(stage_templates.with_canary(held, 0.1)), encoding="utf-8"
        )
    broken = template(Deployment("flowers", auth="none"), CODE)
    broken["Resources"]["Function"]["Properties"]["Runtime"] = "python9.9"
    broken["Resources"]["PublicInvoke"]["Properties"]["InvokedByUrl"] = True
    broken["Outputs"]["Url"]["Value"] = {"Fn::GetAtt": ["FunctionUrl", "Address"]}
    (tmp_path / "broken.json").write_text(text(broken), encoding="utf-8")
    # The region whose schemas come with it; others would be asked for.
    done = subprocess.run(
        [cfn_lint, "--format", "json", "--regions", "us-east-1", "--", *sorted(tmp_path.glob("*.json"))],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    found = defaultdict(list)
    for match in json.loads(done.stdout):
        found[Path(match["Filename"]).stem].append(f"{match['Rule']['Id']} {match['Message']}")
    rules = {message.split()[0] for message in found.pop("broken", [])}
    assert {"E3030", "E3002", "E6101"} <= rules
    assert not found

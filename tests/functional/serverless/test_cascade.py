"""A cascade as an endpoint: served, packaged, and priced."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

import serverless.deploy.package.replay_script as replay_script
from edge_runtime import Bundle, Classifier
from edge_runtime.bundle.manifest import encode_manifest, read_manifest
from edge_runtime.bundle.rules import Rules, SetRule
from edge_runtime.common.errors import UsageError
from edge_runtime.golden import verify_files
from serverless.app import create_app
from serverless.app.core.package_record import RECORD_FILE, packaged_artifact
from serverless.deploy.cost import measure
from serverless.deploy.package.package_files import bundle_files, own_code, record

CASCADE = "tflite-cascade"


def ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async def once() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once())


def test_endpoint_answers_describes_and_tests_both_files(cascade_bundle: Path) -> None:
    app = create_app(cascade_bundle, artifact=CASCADE)
    image = (cascade_bundle / "golden" / "2.png").read_bytes()
    with Classifier.open(cascade_bundle, "tflite-fp32") as second:
        answer = ask(app, "POST", "/classify", content=image).json()
        assert answer["score"] == pytest.approx(second.classify(image).top.score, abs=1e-6)
    assert answer["model"]["artifact"] == CASCADE
    about = ask(app, "GET", "/info").json()["model"]
    assert about["cascade"]["artifacts"] == ["tflite-int8", "tflite-fp32"]
    assert about["cascade"]["files"] == ["digits_int8.tflite", "digits_fp32.tflite"]
    assert about["bytes"] == sum((cascade_bundle / file).stat().st_size for file in about["cascade"]["files"])
    ready = ask(app, "GET", "/ready").json()
    assert (ready["selftest"], ready["examples"]) == ("passed", 6)
    alone = create_app(cascade_bundle, artifact="tflite-int8")
    assert "cascade" not in ask(alone, "GET", "/info").json()["model"]


def test_package_has_both_files_serves_the_cascade_and_replays_it(
    cascade_bundle: Path, tmp_path: Path
) -> None:
    bundle = Bundle.open(cascade_bundle)
    entry = bundle.artifact(CASCADE)
    files = bundle_files(bundle, entry, "bundle")
    files |= own_code("1", "x86_64")
    files[RECORD_FILE] = record(bundle, entry, [], "x86_64", "3.13", "")
    for file, data in files.items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    small = Bundle.open(tmp_path / "bundle")
    assert [one.kind for one in small.entries] == ["tflite-int8", "tflite-fp32", CASCADE]
    assert verify_files(small) == 9
    # Alone, int8 would be the fastest that passed.
    assert packaged_artifact(tmp_path) == CASCADE
    done = subprocess.run(
        [sys.executable, replay_script.__file__, str(tmp_path)],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1]) == {"replayed": 6}, done.stdout[-500:]


def test_package_of_one_artifact_has_no_cascade(cascade_bundle: Path, tmp_path: Path) -> None:
    bundle = Bundle.open(cascade_bundle)
    for file, data in bundle_files(bundle, bundle.artifact("tflite-int8"), "bundle").items():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_bytes(data)
    assert [one.kind for one in Bundle.open(tmp_path / "bundle").entries] == ["tflite-int8"]


def test_damaged_record_is_one_line(tmp_path: Path) -> None:
    assert packaged_artifact(tmp_path) is None
    (tmp_path / RECORD_FILE).write_text("{}")
    with pytest.raises(UsageError, match=r"must be intact"):
        packaged_artifact(tmp_path)


def test_cost_weighs_both_ways_by_the_judged_share(cascade_bundle: Path) -> None:
    # Its rules are for its own margin; the copies that are timed have others.
    manifest = read_manifest((cascade_bundle / "manifest.json").read_bytes())
    assert manifest.cascade is not None
    rules = Rules(
        59, "", sets=SetRule(0.9, 0.5), model_sha256=Bundle.open(cascade_bundle).artifact(CASCADE).sha256
    )
    changed = replace(manifest, cascade=replace(manifest.cascade, rules=rules))
    (cascade_bundle / "manifest.json").write_bytes(encode_manifest(changed))
    found = measure(cascade_bundle, artifact=CASCADE, seconds=0.2, requests=6)
    assert (found.artifact, found.passed_on) == (CASCADE, 0.25)
    assert 0 < found.p50_ms <= found.p99_ms

"""``snapship serve`` follows what ``snapship pull`` brings, while clients ask."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from edge_runtime.bundle.bundle import file_sha256
from edge_runtime.updates import pull, rollback
from serverless.app.application import create_app
from serverless.serving.bundle_reload import ReloadingService


def made(digits_bundle: Path, place: Path, name: str) -> Path:
    """The digits under another name, whose labels begin with it."""
    shutil.copytree(digits_bundle, place / name)
    for file in ("manifest.json", "labels.txt"):
        (place / name / file).unlink()
    manifest = json.loads((digits_bundle / "manifest.json").read_text())
    manifest |= {"name": name, "labels": [f"{name}-{label}" for label in manifest["labels"]]}
    (place / name / "manifest.json").write_text(json.dumps(manifest))
    (place / name / "labels.txt").write_text("".join(f"{label}\n" for label in manifest["labels"]))
    return place / name


def soon(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def of(server: Any, path: str) -> Any:
    answer = httpx.get(f"{server.url}{path}", timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def named(server: Any, image: bytes, *, several: bool = False) -> set[str]:
    """Every word of an answer, and of what it says of its model, that tells which bundle it is from."""
    files = [("a", ("0.png", image)), ("b", ("1.png", image))] if several else None
    found = httpx.post(f"{server.url}/classify", files=files, content=None if several else image,
                       headers={} if several else {"Content-Type": "image/png"}, timeout=20).json()  # fmt: skip
    each = found["results"] if several else [found]
    return {found["model"]["name"], *(one["label"].partition("-")[0] for one in each)}


@pytest.mark.parametrize("ending", ["", "current"])
def test_a_pull_is_served_without_a_restart(
    start: Callable[..., Any], digits_bundle: Path, tmp_path: Path, ending: str
) -> None:
    home, image = tmp_path / "models", (digits_bundle / "golden" / "0.png").read_bytes()
    pull(str(made(digits_bundle, tmp_path, "first")), home)
    server = start(bundle=home / ending)
    assert of(server, "/health")["bundle"] == "first"
    described = httpx.get(f"{server.url}/openapi.json").content
    seen: list[set[str]] = []
    done = threading.Event()

    def ask(several: bool) -> None:
        while not done.is_set():
            seen.append(named(server, image, several=several))

    clients = [threading.Thread(target=ask, args=(several,)) for several in (False, True)]
    for client in clients:
        client.start()
    try:
        pull(str(made(digits_bundle, tmp_path, "second")), home)
        assert soon(lambda: bool(seen) and seen[-1] == {"second"})
    finally:
        done.set()
        for client in clients:
            client.join()
    # No answer is of one bundle and says that it is of the other.
    assert {frozenset(one) for one in seen} == {frozenset({"first"}), frozenset({"second"})}
    assert of(server, "/health")["bundle"] == "second"
    assert of(server, "/info")["bundle"] == "second"
    assert of(server, "/labels")["labels"][3] == "second-3"
    assert of(server, "/ready") == {"status": "ready", "selftest": "passed", "examples": 6}
    assert httpx.get(f"{server.url}/openapi.json").content == described
    assert "Now serving" in server.err.read_text()
    rollback(home)
    assert soon(lambda: of(server, "/info")["bundle"] == "first")


def test_a_bundle_that_does_not_open_leaves_the_old_one_in_use(
    start: Callable[..., Any], digits_bundle: Path, tmp_path: Path
) -> None:
    bundle = made(digits_bundle, tmp_path, "first")
    server = start(bundle=bundle)
    shutil.copytree(digits_bundle, tmp_path / "broken")
    (tmp_path / "broken" / "labels.txt").write_text("none\n")
    shutil.rmtree(bundle)
    (tmp_path / "broken").rename(bundle)
    assert soon(lambda: "The old bundle stays in use" in server.err.read_text())
    assert of(server, "/health")["bundle"] == "first"
    assert server.well()


def test_readiness_is_of_the_bundle_in_use(digits_bundle: Path, tmp_path: Path) -> None:
    bundle, worse = (made(digits_bundle, tmp_path, name) for name in ("first", "worse"))
    golden = json.loads((worse / "golden" / "golden.json").read_text())
    for example in golden["examples"]:
        example["scores"] = {kind: scores[::-1] for kind, scores in example["scores"].items()}
    (worse / "golden" / "golden.json").write_text(json.dumps(golden))
    manifest = json.loads((worse / "manifest.json").read_text())
    manifest["golden"]["sha256"] = file_sha256(worse / "golden" / "golden.json")
    (worse / "manifest.json").write_text(json.dumps(manifest))

    async def asked(app: Starlette) -> tuple[int, str]:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return (await client.get("/ready")).status_code, (await client.get("/health")).json()["bundle"]

    link(bundle, tmp_path / "link")
    service = ReloadingService(tmp_path / "link", every_s=0.05)
    app = create_app(service)
    try:
        assert asyncio.run(asked(app)) == (200, "first")
        link(worse, tmp_path / "link")
        assert soon(lambda: service.served.name == "worse")
        assert asyncio.run(asked(app)) == (503, "worse")
        link(bundle, tmp_path / "link")
        assert soon(lambda: service.served.name == "first")
        assert asyncio.run(asked(app)) == (200, "first")
    finally:
        service.close()


def link(bundle: Path, place: Path) -> None:
    """Points a link at a bundle, at once for everyone who opens it."""
    aside = place.with_name("aside")
    aside.symlink_to(bundle)
    aside.rename(place)

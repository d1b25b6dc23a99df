"""A new version replaces the old one only after it has given the right answers on this device."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.browsers.app_page import STATE
from benchmarks.browsers.protocol import Browser
from benchmarks.browsers.site import Site

pytestmark = pytest.mark.slow

READY = "document.documentElement.dataset.state === 'ready'"
VERSION = "document.documentElement.dataset.version"
UPDATE = "document.documentElement.dataset.update"

Change = Callable[[Path], None]


def other_version(app: Path, out: Path, change: Change) -> str:
    """A copy of an app with something changed and every hash right again; returns its version."""
    shutil.copytree(app, out)
    change(out)
    bundle = out / "bundle"
    manifest = json.loads((bundle / "manifest.json").read_bytes())
    manifest["golden"]["sha256"] = sha256(bundle / manifest["golden"]["file"])
    (bundle / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    content: dict[str, Any] = json.loads((out / "app.json").read_bytes())
    for path in content["files"]:
        file = out / path
        content["files"][path] = {"sha256": sha256(file), "bytes": file.stat().st_size}
    entries = sorted((path, entry["sha256"]) for path, entry in content["files"].items())
    content["version"] = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
    (out / "app.json").write_text(json.dumps(content), encoding="utf-8")
    return str(content["version"])


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def with_other_words(app: Path) -> None:
    """What leaves every answer as it is."""
    file = app / "locales" / "en.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    content["app.added"] = "A line that the old version lacks"
    file.write_text(json.dumps(content), encoding="utf-8")


def with_wrong_scores(app: Path) -> None:
    """Golden scores that this model never gives."""
    file = app / "bundle" / "golden" / "golden.json"
    content = json.loads(file.read_bytes())
    scores = content["examples"][1]["scores"]
    scores["tflite-int8"] = [1.0 - score for score in scores["tflite-int8"]]
    file.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="session")
def versions(app: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str]]:
    """Folder and version of the app, of a good successor, and of one that answers differently."""
    place = tmp_path_factory.mktemp("versions")
    found = {"old": (app, json.loads((app / "app.json").read_bytes())["version"])}
    for name, change in (("good", with_other_words), ("wrong", with_wrong_scores)):
        found[name] = place / name, other_version(app, place / name, change)
    return found


@pytest.fixture(scope="session")
def site(app: Path, host: Callable[..., Site]) -> Site:
    return host(app)


def test_only_a_version_with_the_same_answers_takes_over(
    browser: Browser, app: Path, host: Callable[..., Site], versions: dict[str, tuple[Path, str]]
) -> None:
    site = host(app)
    old, (_, wrong), (_, good) = versions["old"][1], versions["wrong"], versions["good"]
    with browser.page() as tab:
        tab.open(site.url)
        tab.until(f"{READY} && document.documentElement.dataset.offline === 'ready'")
        assert tab.value(VERSION) == old

        site.folder = versions["wrong"][0]
        tab.reload()
        tab.until(f"{UPDATE} === 'refused'")
        state = tab.value(STATE)
        assert (state["version"], state["state"], state["proof"]) == (old, "ready", "same")
        note = tab.value("({...document.querySelector('#update-note').dataset})")
        assert (note["stage"], note["version"]) == ("scores", wrong)
        assert note["file"].startswith("golden/1.")
        assert [name for name in tab.value("caches.keys()") if wrong in name] == []

        site.folder = versions["good"][0]
        tab.reload()
        assert tab.until(f"{READY} && {VERSION}") == old
        tab.until(f"{READY} && {VERSION} === '{good}'")
        assert tab.value(STATE)["proof"] == "same"
        caches = tab.value("caches.keys()")
        assert [name for name in caches if old in name or wrong in name] == []
        assert [name for name in caches if good in name] != []

        site.close()
        tab.reload()
        assert tab.until(f"{READY} && {VERSION}") == good
        assert "A line" in tab.value("fetch('locales/en.json').then((answer) => answer.text())")

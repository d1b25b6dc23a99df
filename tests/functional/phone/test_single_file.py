"""``--single-file``: one page with everything inside, and nothing that its content could break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.labels import labels_text
from phone.app.contents import app_files
from phone.app.modules import EMBEDDED
from phone.app.reduced_bundle import chosen_artifact
from phone.making import PhoneConfig, make_app
from phone.single_file.page import single_file_page

EVIL = ["</script><script>alert(1)</script>", "<!--<script>", "]]>", 'a" onload="x', "日本", "&lt;"]


class Page(HTMLParser):
    """The elements of a page, as a browser's parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.contents: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.contents.append("")

    def handle_endtag(self, tag: str) -> None:
        # What follows is not its content.
        self.handle_starttag(f"/{tag}", [])

    def handle_data(self, data: str) -> None:
        if self.contents:
            self.contents[-1] += data

    def of(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        pairs = zip(self.elements, self.contents, strict=True)
        return [(attributes, text) for (name, attributes), text in pairs if name == tag]

    @property
    def files(self) -> dict[str, bytes]:
        return {
            str(attributes["data-path"]): base64.b64decode(text)
            for attributes, text in self.of("script")
            if "data-path" in attributes
        }


@pytest.fixture(scope="session")
def page(digits_bundle: Path, engine: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    file = tmp_path_factory.mktemp("single") / "digits.html"
    make_app(PhoneConfig(bundle=digits_bundle, single_file=file, engine=engine))
    assert [path.name for path in file.parent.iterdir()] == ["digits.html"]
    return file.read_text(encoding="utf-8")


def test_every_file_of_the_app_is_inside(page: str, digits_app: Path) -> None:
    inside = Page(page).files
    in_folder = {
        path.relative_to(digits_app).as_posix(): path.read_bytes()
        for path in digits_app.rglob("*")
        if path.is_file()
    }
    left_out = {"index.html", "app.css", "sw.js", "manifest.webmanifest", "classify/start.js"}
    assert set(inside) == set(in_folder) - left_out
    changed = {path for path in inside if inside[path] != in_folder[path]}
    assert {path for path in changed if not path.endswith(".mjs")} == {
        "app.json",
        "classify/worker.js",
        "engine/litert/core.js",
    }
    listed = json.loads(inside["app.json"])
    assert listed["version"] == json.loads(in_folder["app.json"])["version"]
    for path in ("engine/litert/core.js", "classify/worker.js", "core.wasm", "bundle/manifest.json"):
        assert listed["files"][path]["sha256"] == hashlib.sha256(inside[path]).hexdigest(), path


def test_modules_import_only_what_is_above_them(page: str) -> None:
    seen: set[str] = set()
    for path, data in Page(page).files.items():
        for imported in re.findall(rf"{EMBEDDED}([^'\"]+)", data.decode("utf-8", "replace")):
            # The bootstrap in front of the worker's script has the pattern, and no path.
            assert imported in seen or path == "classify/worker.js", (path, imported)
        assert not re.search(rb"""^(import|export) .*from ['"]\.""", data, re.MULTILINE), path
        seen.add(path)
    assert "ui/main.mjs" in seen


def test_policy_allows_the_two_inline_parts_by_hash_and_nothing_from_elsewhere(page: str) -> None:
    found = Page(page)
    (policy,) = [
        str(attributes["content"])
        for attributes, _ in found.of("meta")
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    run = [text for attributes, text in found.of("script") if not attributes.get("type")]
    styles = [text for _, text in found.of("style")]
    assert len(run) == len(styles) == 1
    for text in (*run, *styles):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"'self'|https?:|\*", policy)
    # No element asks for a file beside the page.
    references = [
        str(attributes[name])
        for tag, attributes in found.elements
        for name in ("src", "href")
        if attributes.get(name) and tag != "a"
    ]
    assert all(reference.startswith(("data:", "#")) for reference in references), references
    assert not [attributes for _, attributes in found.elements if any(n.startswith("on") for n in attributes)]


def test_labels_and_names_stay_inside_their_file(own_digits_bundle: Path, engine: Path) -> None:
    labels = [*EVIL, *"6789"]

    def rename(record: dict[str, Any]) -> None:
        record["labels"], record["name"] = labels, EVIL[0]

    manifest = own_digits_bundle / "manifest.json"
    record = json.loads(manifest.read_text())
    rename(record)
    manifest.write_text(json.dumps(record))
    (own_digits_bundle / "labels.txt").write_text(labels_text(labels), encoding="utf-8")
    bundle = Bundle.open(own_digits_bundle)
    _, files = app_files(bundle, chosen_artifact(bundle, "tflite-int8"), engine)
    text = single_file_page(files).decode()
    assert "alert(1)" not in text
    assert Page(text).files["bundle/labels.txt"].decode().splitlines() == labels
    assert len([1 for attributes, _ in Page(text).of("script") if not attributes.get("type")]) == 1

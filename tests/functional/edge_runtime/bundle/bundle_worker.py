"""Damages a bundle in many ways and tries to use it; a line of JSON for each, for the test that started it.

Usage: bundle_worker.py BUNDLE SCRATCH FIRST LAST
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.classifier import Classifier
from edge_runtime.common.errors import BundleError
from edge_runtime.golden import selftest, verify_files

MODELS = ("digits_fp32.tflite", "digits_int8.tflite", "digits_fp32.onnx")
REQUIRED = (
    "schema_version", "name", "labels", "input", "artifacts", "provenance", "kind", "file", "format",
    "precision", "sha256", "bytes", "output", "dtype", "shape", "height", "width", "created", "model",
)  # fmt: skip


def damage(data: bytes, way: str, dice: random.Random) -> bytes:
    """Truncates, flips bits, zeroes a block or overwrites bytes of a header."""
    out = bytearray(data)
    at = dice.randrange(len(out))
    if way == "cut":
        return bytes(out[:at])
    if way == "flip":
        for _ in range(dice.choice((1, 8, 200))):
            out[dice.randrange(len(out))] ^= 1 << dice.randrange(8)
    elif way == "zero":
        size = dice.choice((4, 64, 4096, 40000))
        out[at : at + size] = bytes(len(out[at : at + size]))
    else:
        # The tables of a flatbuffer and of ONNX lie at its ends.
        window = 4096 if dice.random() < 0.5 else len(out)
        for _ in range(dice.choice((1, 4, 16))):
            place = dice.randrange(window) if dice.random() < 0.5 else len(out) - 1 - dice.randrange(window)
            out[place % len(out)] = dice.choice((0, 1, 0x7F, 0x80, 0xFF, dice.randrange(256)))
    return bytes(out)


def rehash(folder: Path, file: str) -> None:
    """Makes the manifest vouch for the file as it is now."""
    manifest = json.loads((folder / "manifest.json").read_text())
    data = (folder / file).read_bytes()
    for artifact in manifest["artifacts"]:
        if artifact["file"] == file:
            artifact["bytes"], artifact["sha256"] = len(data), hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def nodes(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key of a JSON document."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    found = [(value, key) for key, _ in items]
    for _, child in items:
        if isinstance(child, dict | list):
            found += nodes(child)
    return found


def corrupt(folder: Path, index: int) -> tuple[str, bool]:
    """Corrupts a bundle; returns what was done and whether it may go unnoticed."""
    dice = random.Random(index)
    file = dice.choice(MODELS)
    path = folder / file
    family = index % 5
    if family < 2:
        way = dice.choice(("cut", "flip", "zero", "header"))
        before = path.read_bytes()
        after = damage(before, way, dice)
        path.write_bytes(after)
        if family == 0:
            # Zeros may meet zeros.
            return f"{file}: {way}, hash not corrected", after == before
        rehash(folder, file)
        return f"{file}: {way}, hash corrected", True
    if family == 2:
        other = dice.choice([name for name in (*MODELS, "golden/0.png", "manifest.json") if name != file])
        shutil.copyfile(folder / other, path)
        if dice.random() < 0.5:
            rehash(folder, file)
        return f"{file}: is {other}", False
    text = folder / "manifest.json"
    if family == 3:
        name = dice.choice(("manifest.json", "labels.txt", "golden/golden.json", "golden/0.png"))
        before = (folder / name).read_bytes()
        after = damage(before, dice.choice(("cut", "flip", "zero")), dice)
        (folder / name).write_bytes(after)
        # A digit of a metric or the last line break may differ and mean nothing.
        return f"{name}: damaged", name in ("manifest.json", "labels.txt") or after == before
    manifest = json.loads(text.read_text())
    places = nodes(manifest)
    way = dice.choice(("remove", "mistype", "huge", "nest", "unknown"))
    if way == "remove":
        parent, key = dice.choice([place for place in places if place[1] in REQUIRED])
        del parent[key]
    elif way == "mistype":
        parent, key = dice.choice(places)
        parent[key] = [{"x": []}] if isinstance(parent[key], dict) else {"x": []}
    elif way == "nest":
        parent, key = dice.choice(places)
        parent[key] = "NEST"
        text.write_text(json.dumps(manifest).replace('"NEST"', "[" * 50_000 + "]" * 50_000, 1))
        return f"manifest {key}: nested", False
    elif way == "unknown":
        parent, key = dice.choice([place for place in places if isinstance(place[0], dict)])
        if parent is manifest["provenance"]["versions"]:
            parent, key = manifest, "name"
        parent["surprise"] = 1
    else:
        numbers = [place for place in places if isinstance(place[0][place[1]], int | float)]
        parent, key = dice.choice(numbers)
        parent[key] = dice.choice((10**30, -(10**30), -1, 1e308))
        text.write_text(json.dumps(manifest))
        return f"manifest {key}: {parent[key]}", key not in ("schema_version", "bytes", "height", "width")
    text.write_text(json.dumps(manifest))
    return f"manifest {key}: {way}", False


def attempt(folder: Path) -> str:
    """Uses everything that there is in a bundle."""
    try:
        bundle = Bundle.open(folder)
        verify_files(bundle)
        for artifact in bundle.manifest.artifacts:
            with Classifier(bundle, artifact) as classifier:
                for value in (0, 255):
                    classifier.scores(np.full((16, 16, 1), value, np.uint8))
        selftest(bundle, artifacts=[bundle.manifest.artifacts[0].kind])
    except BundleError as error:
        return f"BundleError: {error}"
    except BaseException:
        return traceback.format_exc()
    return "ran"


def main() -> None:
    """Works through a range of corruptions."""
    source, scratch = Path(sys.argv[1]), Path(sys.argv[2])
    for index in range(int(sys.argv[3]), int(sys.argv[4])):
        folder = scratch / "broken.bundle"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(source, folder)
        what, silent = corrupt(folder, index)
        print(json.dumps({"index": index, "what": what}), flush=True)
        answer = attempt(folder)
        print(json.dumps({"index": index, "what": what, "answer": answer, "silent": silent}), flush=True)


if __name__ == "__main__":
    main()

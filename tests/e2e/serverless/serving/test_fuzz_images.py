"""Damaged and hostile images over HTTP: each is a picture or a refusal, and the server lives on."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import httpx

HERE = Path(__file__).parent

COUNT = 750

REFUSALS = {400, 413, 415}

# Of one bomb in each of two workers, as the device's own tests allow for one.
MEMORY = 600_000_000


def _load() -> Any:
    path = HERE.parents[2] / "functional" / "edge_runtime" / "image" / "bad_images.py"
    spec = spec_from_file_location("bad_images", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


bad_images = _load()

# Bombs that the limits stop after work worth testing, without those that take minutes to make.
BOMBS = ("png-50k", "png-13k", "jpeg-65k", "bmp-huge-height", "gif-zero", "png-long-side", "jpeg-many-scans",
         "jpeg-many-segments", "png-text-bomb", "gif-comments", "tiff-tile", "ppm-digits", "jpeg-truncated",
         "svg", "pdf", "eps", "zip", "ico", "gif-js", "empty")  # fmt: skip


def test_mutated_images_are_answered_without_a_5xx(server) -> None:
    images = list(bad_images.flipped(seed=6, count=COUNT))
    statuses: Counter[int] = Counter()
    grown: list[int] = []
    with httpx.Client(base_url=server.url, timeout=60) as client:
        for place, (name, data) in enumerate(images):
            answer = client.post("/classify", content=data, headers={"content-type": "image/png"})
            assert answer.status_code in REFUSALS | {200}, (name, answer.text)
            statuses[answer.status_code] += 1
            if place == COUNT // 5:
                grown.append(server.memory)
    # It did decode some and refuse some.
    assert statuses[200] > COUNT // 20
    assert statuses[400] > COUNT // 20
    assert server.memory - grown[0] < 30_000_000
    assert server.well()


def test_bombs_are_refused_while_others_are_served(server, digit: bytes) -> None:
    before = server.memory

    def send(name: str) -> tuple[str, int]:
        return name, httpx.post(
            f"{server.url}/classify", content=bad_images.BAD[name](), timeout=120
        ).status_code

    with ThreadPoolExecutor(2) as threads:
        sent = threads.map(send, BOMBS)
        for _ in range(5):
            answer = httpx.post(f"{server.url}/classify", content=digit, timeout=60)
            assert answer.status_code == 200
        assert {name: status for name, status in sent if status not in REFUSALS} == {}
    assert server.memory - before < MEMORY
    assert server.well()


def test_parts_of_a_form_and_of_json_are_refused_one_by_one(server, digit: bytes) -> None:
    images = [data for _, data in bad_images.flipped(seed=7, count=12)]
    files = [("image", (str(place), data)) for place, data in enumerate([*images, digit])]
    answer = httpx.post(f"{server.url}/classify", files=files, timeout=60)
    assert answer.status_code == 200
    results = answer.json()["results"]
    assert len(results) == 13
    assert all("label" in one or one["error"]["status"] in REFUSALS for one in results)
    assert "label" in results[-1]

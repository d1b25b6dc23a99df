"""The page of a run: its parts, safe names, one file, a moderate size."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.imageset import Item
from trainer.analysis.report import write_report
from trainer.core.cache import Pixels
from trainer.evaluation.evaluation import evaluate_scores
from trainer.run.run_json import EpochRow, RunRecord

pytestmark = pytest.mark.slow

HEADINGS = ["Training", "Classes", "Confusion", "Calibration", "Most confident mistakes", "Closest calls",
            "Robustness", "What the model looks at", "Configuration"]  # fmt: skip
VOID = {"meta", "img", "br", "link", "input", "hr", "path", "use", "rect", "circle", "line"}


class Page(HTMLParser):
    """Headings, addresses and open tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "xlink:href", "action", "data", "poster"):
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data.strip())


def write(
    folder: Path, record: RunRecord, labels: tuple[str, ...], count: int, ref: str = "{}.png", **more: Any
) -> str:
    """A report on random scores of random pictures; every image is val."""
    random = np.random.default_rng(0)
    targets = np.arange(count, dtype=np.int64) % len(labels)
    items = tuple(
        Item(ref.format(place), int(label), "val", f"{place:064x}") for place, label in enumerate(targets)
    )
    array = random.integers(0, 256, (count, 96, 96, 3), dtype=np.uint8)
    images = ImageSet("/data", labels, items, reader=lambda item: b"", skipped=("<i>broken</i>.jpg: bad",))
    scores = random.dirichlet(np.full(len(labels), 0.3), count).astype(np.float32)
    rows = [EpochRow(phase, 1, 1.0, 0.5, 1.0, 0.5, 1e-3, 1.0) for phase in ("head", "fine-tune")]
    evaluation = evaluate_scores(scores, targets, labels, 1.0)
    record = msgspec.structs.replace(record, labels=labels)
    write_report(folder, record, rows, evaluation, scores, Pixels(images, array, targets), **more)
    return (folder / "report.html").read_text("utf-8")


def test_page_has_every_section_and_closes_every_tag(tmp_path: Path, record: RunRecord) -> None:
    page = Page(write(tmp_path, record, ("cat", "dog", "cow"), 40))
    assert page.headings == ["run", *HEADINGS]
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))


def test_page_needs_nothing_from_outside_and_runs_nothing(tmp_path: Path, record: RunRecord) -> None:
    text = write(tmp_path, record, ("cat", "dog"), 40)
    page = Page(text)
    assert page.addresses
    assert all(address.startswith(("data:image/", "#")) for address in page.addresses)
    assert not page.tags & {"script", "iframe", "object", "embed", "link", "form", "base"}
    assert not re.search(r"url\((?!#)|@import", text)
    # What is left of addresses are the names of the SVG vocabularies.
    assert set(re.findall(r"https?://[^\"' <)]+", text)) <= {
        "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
    }  # fmt: skip


def test_names_of_the_data_are_text_and_not_markup(tmp_path: Path, record: RunRecord) -> None:
    evil = "<script>alert(1)</script>"
    text = write(
        tmp_path, record, (evil, "a\" onload=\"x", "{{ 7 * 7 }}"), 30, "<b>{}</b>.png", warnings=[f"leak: {evil}"]
    )  # fmt: skip
    assert "script" not in Page(text).tags
    assert "<b>0</b>" not in text
    assert "<i>broken" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text


def test_undecodable_file_names_do_not_stop_the_page(tmp_path: Path, record: RunRecord) -> None:
    assert "Closest calls" in write(tmp_path, record, ("cat", "dog"), 10, "caf\udce9{}.png")


def test_warnings_are_shown_near_the_top_when_there_are_some(tmp_path: Path, record: RunRecord) -> None:
    text = write(tmp_path, record, ("cat", "dog"), 10, warnings=("2 images of val are in train too",))
    assert 0 < text.index("2 images of val are in train too") < text.index("<h2>Training")
    assert "Data checks" not in write(tmp_path, record, ("cat", "dog"), 10)


def test_without_a_model_the_sections_say_why_they_are_empty(tmp_path: Path, record: RunRecord) -> None:
    assert write(tmp_path, record, ("cat", "dog"), 40).count("Not available without the model.") == 2


def test_f1_and_macro_average_are_in_the_table(tmp_path: Path, record: RunRecord) -> None:
    text = write(tmp_path, record, ("cat", "dog"), 40)
    for word in ("recall", "precision", "F1", "macro avg", "Calibration error (ECE)", "macro F1"):
        assert word in text


@pytest.mark.parametrize(("classes", "images"), [(1000, 1000), (5, 400)])
def test_size_stays_moderate(tmp_path: Path, record: RunRecord, classes: int, images: int) -> None:
    labels = tuple(f"class number {index}" for index in range(classes))
    # Noise is the worst that can be compressed.
    text = write(tmp_path, record, labels, images)
    assert len(text) < 1_500_000
    if classes == 1000:
        assert "60 of 1000 classes, those with the lowest F1" in text
        assert text.count("995 more classes") + text.count("994 more classes") == 24


def test_one_class_alone_is_a_page_too(tmp_path: Path, record: RunRecord) -> None:
    text = write(tmp_path, record, ("cat",), 5)
    assert "There is only one class." in text
    assert "None: every image was classified correctly." in text


class Slow:
    """Takes the place of a model that needs seconds for an image."""

    def predict_on_batch(self, batch: Any) -> Any:
        time.sleep(1)
        return np.full((len(batch), 2), 0.5, np.float32)


class Quick:
    """Takes the place of a model that answers at once."""

    def predict_on_batch(self, batch: Any) -> Any:
        return np.full((len(batch), 2), 0.5, np.float32)


def test_robustness_is_left_out_when_it_would_take_long(tmp_path: Path, record: RunRecord) -> None:
    text = write(tmp_path, record, ("cat", "dog"), 40, model=Slow())
    assert "Not measured. It would have added about " in text
    assert "snapship evaluate RUN DATA --robustness" in text


def test_robustness_is_measured_when_there_is_time(tmp_path: Path, record: RunRecord) -> None:
    pytest.importorskip("keras")
    text = write(tmp_path, record, ("cat", "dog"), 40, model=Quick())
    assert "Top-1 in % on 40 images" in text
    # The stand-in has no layers.
    assert "Grad-CAM: not available. AttributeError" in text


def test_few_val_images_are_not_enough_for_robustness(tmp_path: Path, record: RunRecord) -> None:
    pytest.importorskip("keras")
    assert "It requires 30 val images; there are 12." in write(
        tmp_path, record, ("cat", "dog"), 12, model=Quick()
    )

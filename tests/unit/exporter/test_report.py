"""The page, and what its numbers look like."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.dataset import ImageSet, Item
from edge_runtime.errors import ModelFileError
from exporter.amounts import latency_text, size_text
from exporter.images import PixelTable
from exporter.judging import Candidate, Judgement, judge
from exporter.report import render_report

LABELS = tuple("0123456789")


@pytest.fixture
def table() -> PixelTable:
    """Forty gray images of noise, 16x16; class 3 has a name that is markup, and one that is long."""
    labels = ("<script>alert(1)</script>", "long " * 40, *LABELS[2:])
    truth = np.arange(40, dtype=np.int64) % 10
    pixels = np.random.default_rng(0).integers(0, 256, (40, 16, 16, 1), dtype=np.uint8)
    items = tuple(
        Item(f"val/<b>{index}", int(label), "val", f"{index:064}") for index, label in enumerate(truth)
    )
    folder = tempfile.TemporaryDirectory(prefix="snapship-test-")
    return PixelTable(pixels, truth, ImageSet("made", labels, items, lambda item: b""), folder)


def judged(bundle: Path, table: PixelTable, reference: np.ndarray) -> Judgement:
    files = {"tflite-fp32": "digits_fp32.tflite", "tflite-int8": "digits_int8.tflite"}
    candidates = [Candidate(name, bundle / file, "tflite", False, 1234) for name, file in files.items()]
    return judge(candidates, reference, table, file="model.keras", sha256="0" * 64, margin=0.02)


def test_page_escapes_names_and_shows_what_changed(digits_bundle: Path, table: PixelTable) -> None:
    with table:
        reference = np.full((40, 10), 0.01, dtype=np.float32)
        reference[np.arange(40), table.truth] = 0.91
        found = judged(digits_bundle, table, reference)
        page = render_report("x.bundle", found, table)
    assert found.report.verdict == "fail"
    assert found.report.artifacts["tflite-int8"].worst_class.delta < 0
    assert "<script>" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "24 shown" in page
    assert page.count("data:image/png;base64,") == 24
    assert page.count("<svg") == 2


def test_full_model_without_numbers_is_an_error(digits_bundle: Path, table: PixelTable) -> None:
    reference = np.full((40, 10), 0.1, dtype=np.float32)
    reference[5, 2] = np.nan
    with table, pytest.raises(ModelFileError, match="numbers"):
        judged(digits_bundle, table, reference)


def test_judging_asks_for_the_same_images(digits_bundle: Path, table: PixelTable) -> None:
    with table:
        table.pixels = table.pixels[:, :8]
        with pytest.raises(ModelFileError, match="same model"):
            judged(digits_bundle, table, np.full((40, 10), 0.1, dtype=np.float32))


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [(0.031, "0.031 ms"), (0.1, "0.10 ms"), (12.5, "12.50 ms"), (1562.5, "1.56 s")],
)
def test_latency_keeps_its_digits(milliseconds: float, text: str) -> None:
    assert latency_text(milliseconds) == text


def test_size_is_decimal() -> None:
    assert [size_text(129_700), size_text(3_900_000)] == ["129.7 kB", "3.90 MB"]

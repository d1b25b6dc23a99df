"""What ships answers the same on a CPU without VNNI, which adds int8 products in 16 bits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from benchmarks.other_cpu import UnavailableError, without_vnni
from edge_runtime import Bundle
from edge_runtime.engines.onnx import OnnxEngine
from exporter import check
from exporter.formats.onnx_run import kernels_saturate
from exporter.judge.saved_report import saved_report
from exporter.quantize.onnx_saturation import LARGEST_SUM, products

SCORE = """
import sys, numpy as np
from edge_runtime.engines.onnx import OnnxEngine
engine = OnnxEngine(sys.argv[1], "model", 1)
np.save(sys.argv[3], np.stack([engine.run(image) for image in np.load(sys.argv[2])]))
"""


def test_no_product_of_an_exported_file_can_pass_16_bits(exported: Path) -> None:
    (file,) = exported.glob("*_int8.onnx")
    found = products(onnx.load(file))
    assert len(found) >= 4
    assert all(one.fits for one in found)
    # The grid is used up to what fits.
    assert max(one.pair_sum for one in found) > LARGEST_SUM - 4
    report = saved_report(Bundle.open(exported))
    assert report is not None
    kernels = report.artifacts["onnx-int8"].kernels
    assert kernels is not None
    assert (kernels.operations, kernels.overflowing) == (len(found), 0)
    assert report.cpu is not None
    assert report.artifacts["onnx-fp32"].kernels is None
    engines = {kind: one.engines for kind, one in check(exported).artifacts.items()}
    rows = {row.engine: row for row in engines["onnx-int8"]}
    assert rows["onnxruntime, exact kernels"].agreement == 1.0
    assert "onnxruntime, exact kernels" not in {row.engine for row in engines["onnx-fp32"]}


def test_an_exported_file_answers_the_same_on_a_cpu_without_vnni(exported: Path, tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    (file,) = exported.glob("*_int8.onnx")
    exact: Any = OnnxEngine(file, file.name, 1, exact=True)
    height, width = exact.input.shape[1:3]
    images = np.minimum(load_digits().images[:100] * 16, 255).astype(np.uint8)
    # Bright ones too: the largest products.
    pixels = np.kron(images, np.ones((4, 4), np.uint8))[:, :height, :width, np.newaxis]
    pixels = np.concatenate([pixels, 255 - pixels])
    if kernels_saturate():
        environment = dict(os.environ)
    else:
        try:
            environment = without_vnni(tmp_path)
        except UnavailableError as reason:
            pytest.skip(f"needs a CPU without VNNI, or one that can stand in for it: {reason}")
    np.save(tmp_path / "pixels.npy", pixels)
    subprocess.run(
        [sys.executable, "-c", SCORE, str(file), str(tmp_path / "pixels.npy"), str(tmp_path / "scores.npy")],
        env=environment,
        check=True,
    )
    wanted = np.stack([exact.run(image) for image in pixels])
    np.testing.assert_allclose(np.load(tmp_path / "scores.npy"), wanted, atol=1e-6)

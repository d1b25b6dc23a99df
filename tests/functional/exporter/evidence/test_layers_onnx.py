from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from edge_runtime.common.native_output import quiet
from exporter.evidence.layers import layer_reports, open_pair


class _Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, name: str, pixels: np.ndarray) -> None:
        self._rows = iter([{name: image[np.newaxis].astype(np.float32)} for image in pixels])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rows, None)


@pytest.fixture(scope="module")
def digits(digits_bundle: Path) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (12, 16, 16, 1), dtype=np.uint8)


def quantized(digits_bundle: Path, out: Path, calibration: np.ndarray) -> Path:
    source = digits_bundle / "digits_fp32.onnx"
    name = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"]).get_inputs()[0].name
    with quiet():
        quantize_static(
            str(source), str(out), _Reader(name, calibration), quant_format=QuantFormat.QDQ, per_channel=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
        )  # fmt: skip
    return out


def test_layers_of_an_onnx_file_see_what_calibration_cut_off(
    digits_bundle: Path, digits: np.ndarray, tmp_path: Path
) -> None:
    fp32 = digits_bundle / "digits_fp32.onnx"
    assert open_pair("onnx", fp32, fp32) is None
    lowest = []
    for calibration in (digits, digits // 8):
        files = open_pair("onnx", fp32, quantized(digits_bundle, tmp_path / "int8.onnx", calibration))
        assert files is not None
        rows, n = layer_reports(files, digits)
        assert n == 12
        assert len(rows) >= 5
        assert {"Conv", "MatMul", "Gemm", "Relu", "Add"} & {row.op for row in rows}
        lowest.append(min(row.sqnr_db for row in rows))
    good, clipped = lowest
    assert good > 20
    assert clipped < good - 10

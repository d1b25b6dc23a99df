"""Whatever runs ONNX Runtime for us leaves no trace of its telemetry, in a home that never saw it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.engines.onnx import TELEMETRY_SWITCH

pytest.importorskip("onnxruntime", reason="needs the extra onnx")

ROOT = Path(__file__).resolve().parents[4]

PROGRAMS = {
    "predict": """
from snapship.cli import cli
image = f"{bundle}/golden/0.png"
cli(["predict", bundle, image, "--engine", "onnxruntime"], standalone_mode=False)
""",
    "Classifier": """
from edge_runtime import Classifier
with Classifier.open(bundle, "onnx-fp32") as classifier:
    classifier.classify(f"{bundle}/golden/0.png")
""",
    "external file": """
from exporter.source.loaders import load_model
load_model(model, "0..255")
""",
    "plain kernels": """
from exporter.evidence.engines import variants
for variant in variants(model, "onnx", "model"):
    variant.open()
""",
    "fp16": """
from exporter.convert.onnx_file import convert_onnx_fp16
convert_onnx_fp16(model.read_bytes())
""",
    "int8": """
from exporter.quantize import OnnxGraph
OnnxGraph(model.read_bytes())
""",
}
"""What imports ONNX Runtime, each by a way of its own."""


def left_behind(home: Path, program: str, bundle: Path, **variables: str) -> list[str]:
    """Files in a fresh home after a program ran there, without CI or any other variable in the environment."""
    home.mkdir()
    start = (
        "import sys\nfrom pathlib import Path\nbundle = sys.argv[1]\nmodel = Path(bundle, 'digits_fp32.onnx')"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{start}\n{program}", bundle], cwd=ROOT,
        env={"HOME": str(home), "PATH": os.environ["PATH"], **variables},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return sorted(path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_of_onnxruntimes_telemetry_is_left_behind(
    digits_bundle: Path, tmp_path: Path, name: str
) -> None:
    if name in ("fp16", "int8"):
        pytest.importorskip("onnx", reason="needs the extra export")
    assert left_behind(tmp_path / "home", PROGRAMS[name], digits_bundle) == []


def test_who_sets_the_variable_decides(digits_bundle: Path, tmp_path: Path) -> None:
    """And the test above can fail: this is what telemetry leaves behind."""
    found = left_behind(tmp_path / "home", PROGRAMS["Classifier"], digits_bundle, **{TELEMETRY_SWITCH: "0"})
    if not found:
        pytest.skip("this build of ONNX Runtime has no telemetry, as on systems other than Linux")
    assert found[0].startswith(".cache/Microsoft/"), found

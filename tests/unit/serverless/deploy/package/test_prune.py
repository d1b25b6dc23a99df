"""What of a wheel stays; that every rule still finds something is tested on the wheels themselves."""

from __future__ import annotations

import pytest

from serverless.deploy.package.prune import RULES, dropped_by, kept


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("ai-edge-litert", "ai_edge_litert/interpreter.py"),
        ("ai-edge-litert", "ai_edge_litert/_pywrap_litert_interpreter_wrapper.so"),
        ("ai-edge-litert", "ai_edge_litert/libpywrap_litert_common.so"),
        ("numpy", "numpy.libs/libscipy_openblas64_-32a4b2a6.so"),
        ("numpy", "numpy/_core/_multiarray_umath.cpython-312-x86_64-linux-gnu.so"),
        ("numpy", "numpy/linalg/__init__.py"),
        ("numpy", "numpy-2.4.6.dist-info/METADATA"),
        ("numpy", "numpy-2.4.6.dist-info/licenses/LICENSE.txt"),
        ("pillow", "PIL/_webp.cpython-312-x86_64-linux-gnu.so"),
        ("pillow", "PIL/_imaging.cpython-313-aarch64-linux-gnu.so"),
        ("onnxruntime", "onnxruntime/capi/onnxruntime_pybind11_state.cpython-312-x86_64-linux-gnu.so"),
        # A rule of one package says nothing of another.
        ("starlette", "numpy/random/mtrand.so"),
    ],
)
def test_kept_is_what_a_function_uses(package: str, file: str) -> None:
    assert kept(package, [file]) == [file]


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("ai-edge-litert", "ai_edge_litert/libLiteRtWebGpuAccelerator.so"),
        ("ai-edge-litert", "ai_edge_litert/libLiteRt.so"),
        ("ai-edge-litert", "ai_edge_litert/vendors/qualcomm/compiler/libLiteRtCompilerPlugin_Qualcomm.so"),
        ("ai-edge-litert", "ai_edge_litert/descriptor_pb2.py"),
        ("numpy", "numpy/typing/mypy_plugin.py"),
        ("pillow", "PIL/ImageFont.py"),
        ("starlette", "starlette/templating.py"),
        ("numpy", "numpy/_core/tests/test_api.py"),
        ("numpy", "numpy/_core/_simd.cpython-312-x86_64-linux-gnu.so"),
        ("numpy", "numpy/__init__.pyi"),
        ("numpy", "numpy-2.4.6.dist-info/RECORD"),
        ("pillow", "PIL/_avif.cpython-312-x86_64-linux-gnu.so"),
        ("onnxruntime", "onnxruntime/capi/libonnxruntime.so.1.31.1"),
        ("anything", "anything/tests/test_x.py"),
    ],
)
def test_kept_leaves_out_what_it_does_not_use(package: str, file: str) -> None:
    assert kept(package, [file]) == []
    rule = dropped_by(package, file)
    assert rule is not None
    assert rule.reason


def test_kept_keeps_the_order() -> None:
    assert kept("numpy", ["numpy/b.py", "numpy/a.pyi", "numpy/a.py"]) == ["numpy/b.py", "numpy/a.py"]


def test_rules_name_no_file_twice() -> None:
    patterns = [(rule.package, rule.pattern) for rule in RULES]
    assert len(set(patterns)) == len(patterns)

"""The files of each wheel that a function never uses, with the reason.

Patterns are those of fnmatch, where ``*`` also matches ``/``. The golden images, replayed from what is
left, verify the list. Libraries that nothing links to any more are removed automatically
(:mod:`serverless.deploy.package.shared_libraries`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Rule:
    """Files that are left out.

    Attributes:
        package: The wheel's package, ``*`` for all.
        pattern: The files.
        reason: Why a function does not need them.
        but: Patterns of files to keep nevertheless.
    """

    package: str
    pattern: str
    reason: str
    but: tuple[str, ...] = ()

    def drops(self, package: str, file: str) -> bool:
        """Whether it leaves out a file of a package."""
        return (
            self.package in ("*", package)
            and fnmatchcase(file, self.pattern)
            and not any(fnmatchcase(file, kept) for kept in self.but)
        )


_LITERT = "ai-edge-litert"

RULES = (
    Rule("*", "*.pyi", "types, for editors"),
    Rule("*", "*.pxd", "for those who compile against it"),
    Rule("*", "*.h", "for those who compile against it"),
    Rule("*", "*.a", "for those who compile against it"),
    Rule("*", "*/tests/*", "the package's own tests"),
    Rule("*", "*.dist-info/*", "for installers", but=("*/METADATA", "*/licenses/*")),
    Rule("anyio", "anyio/pytest_plugin.py", "for tests"),
    Rule("anyio", "anyio/_backends/_trio.py", "another event loop"),
    Rule("starlette", "starlette/testclient.py", "for tests"),
    Rule("python-multipart", "multipart/*", "the package's old name"),
    Rule(_LITERT, "ai_edge_litert/vendors/*", "drivers of phones' accelerators"),
    Rule(_LITERT, "ai_edge_litert/tools/*", "programs for developers"),
    Rule(_LITERT, "ai_edge_litert/aot/*", "compiles ahead for phones"),
    Rule(_LITERT, "ai_edge_litert/tflite/*", "edits model files"),
    Rule(_LITERT, "ai_edge_litert/*_pb2.py", "messages of the tools, which need protobuf"),
    Rule(_LITERT, "ai_edge_litert/schema_py_generated.py", "edits model files, which needs flatbuffers"),
    Rule(
        _LITERT,
        "ai_edge_litert/*.so",
        "for GPUs, the newer API and the converter; the classic interpreter needs only two",
        but=(
            "ai_edge_litert/_pywrap_litert_interpreter_wrapper.so",
            "ai_edge_litert/libpywrap_litert_common.so",
        ),
    ),
    Rule("onnxruntime", "onnxruntime/tools/*", "programs for developers"),
    Rule("onnxruntime", "onnxruntime/transformers/*", "rewrites models"),
    Rule("onnxruntime", "onnxruntime/quantization/*", "rewrites models"),
    Rule("onnxruntime", "onnxruntime/datasets/*", "examples"),
    Rule("onnxruntime", "onnxruntime/backend/*", "for the package onnx, which is not included"),
    Rule("onnxruntime", "onnxruntime/capi/libonnxruntime*", "the C interface; Python's holds it all"),
    Rule("numpy", "numpy/f2py/*", "compiles Fortran"),
    Rule("numpy", "numpy/_core/_*_tests.cpython-*.so", "numpy's own tests"),
    Rule("numpy", "numpy/_core/_simd.cpython-*.so", "numpy's own tests"),
    Rule("numpy", "numpy/_pyinstaller/*", "for another packager"),
    Rule("numpy", "numpy/fft/*", "imported on demand, and nothing needs it"),
    Rule("numpy", "numpy/ma/*", "imported on demand, and nothing needs it"),
    Rule("numpy", "numpy/polynomial/*", "imported on demand, and nothing needs it"),
    Rule("numpy", "numpy/random/*", "imported on demand, and nothing needs it"),
    Rule("numpy", "numpy/testing/*", "imported on demand, and nothing needs it"),
    Rule("numpy", "numpy/conftest.py", "numpy's own tests"),
    Rule("numpy", "numpy/typing/*", "types, for editors"),
    Rule("numpy", "numpy/matlib.py", "imported on demand, and nothing needs it"),
    Rule("starlette", "starlette/staticfiles.py", "serves files"),
    Rule("starlette", "starlette/templating.py", "fills in pages"),
    Rule("starlette", "starlette/middleware/wsgi.py", "another protocol"),
    Rule("starlette", "starlette/middleware/sessions.py", "needs itsdangerous, which is not included"),
    Rule("starlette", "starlette/middleware/opentelemetry.py", "needs opentelemetry, which is not included"),
    *(
        Rule("pillow", f"PIL/{name}.py", reason)
        for names, reason in (
            ("PdfParser PdfImagePlugin", "writes PDF"),
            ("ImageFont ImageText ImageDraw ImageDraw2 FontFile PcfFontFile BdfFontFile", "draws"),
            ("ImageTk ImageQt ImageWin ImageShow ImageGrab _tkinter_finder", "shows windows"),
            ("PSDraw EpsImagePlugin", "PostScript, which is not an allowed format"),
            ("ImageCms", "colour profiles"),
            ("ImageMorph", "morphology"),
            ("AvifImagePlugin", "AVIF, which is not an allowed format"),
        )
        for name in names.split()
    ),
    Rule("pillow", "PIL/_avif.*", "AVIF, which is not an allowed format"),
    Rule("pillow", "PIL/_imagingft.*", "draws text"),
    Rule("pillow", "PIL/_imagingcms.*", "colour profiles"),
    Rule("pillow", "PIL/_imagingtk.*", "shows windows"),
    Rule("pillow", "PIL/_imagingmath.*", "evaluates formulas"),
    Rule("pillow", "PIL/_imagingmorph.*", "morphology"),
)
"""What is left out."""


def dropped_by(package: str, file: str) -> Rule | None:
    """The first rule that leaves out a file; None if it is kept.

    Args:
        package: The wheel's package, as :mod:`serverless.deploy.package.wheels` spells it.
        file: Path inside the wheel.
    """
    return next((rule for rule in RULES if rule.drops(package, file)), None)


def kept(package: str, files: Iterable[str]) -> list[str]:
    """The files of a wheel that are kept.

    Args:
        package: The wheel's package.
        files: Paths inside the wheel.
    """
    return [file for file in files if dropped_by(package, file) is None]

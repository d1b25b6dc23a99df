"""The artifact kinds: what each is called, what its file looks like, and what else people call it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from edge_runtime.errors import UnknownNameError, UsageError
from edge_runtime.manifest import Format

Precision = Literal["fp32", "fp16", "dynamic", "int8", "int16x8"]


@dataclass(frozen=True)
class Kind:
    """One way to write a model.

    Attributes:
        name: Its name everywhere, such as ``tflite-int8``.
        format: What kind of file it is.
        precision: How it computes.
        ending: What follows the bundle's name in the file's name.
        exact: Whether its scores must equal the full model's to :data:`exporter.gate.EXACT_DP`.
        golden_tolerance: Largest score difference between two machines that is no finding.
            Float kernels differ in the order of sums; an int8 score may move by a
            few steps of the last quantized tensor where a rounding falls the other way.
        note: What it is for, in a few words, for people.
        quantized: Whether it is made with calibration images.
    """

    name: str
    format: Format
    precision: Precision
    ending: str
    exact: bool
    golden_tolerance: float
    note: str
    quantized: bool = False

    def file(self, stem: str) -> str:
        """The file's path in a bundle, such as ``flowers_int8.tflite``."""
        return f"{stem}{self.ending}"


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("tflite-fp32", "tflite", "fp32", "_fp32.tflite", True, 1e-3, "the full model's answers"),
        Kind("tflite-fp16", "tflite", "fp16", "_fp16.tflite", False, 5e-3, "half the size, for GPUs"),
        Kind("tflite-dynamic", "tflite", "dynamic", "_dynamic.tflite", False, 0.05, "size, not speed"),
        Kind("tflite-int8", "tflite", "int8", "_int8.tflite", False, 0.05, "smallest and fastest", True),
        Kind(
            "tflite-int16x8", "tflite", "int16x8", "_int16x8.tflite", False, 0.02,
            "accuracy, 20 times slower on a CPU", True,
        ),
        Kind("onnx-fp32", "onnx", "fp32", "_fp32.onnx", True, 1e-3, "the full model's answers"),
        Kind("onnx-fp16", "onnx", "fp16", "_fp16.onnx", False, 5e-3, "half the size, for GPUs"),
        Kind("onnx-int8", "onnx", "int8", "_int8.onnx", False, 0.05, "smallest, fastest on VNNI CPUs", True),
        Kind(
            "saved-model", "saved-model", "fp32", "_saved_model/saved_model.pb", True, 1e-3,
            "TensorFlow Serving and other servers",
        ),
        Kind("coreml", "coreml", "fp16", ".mlpackage.zip", False, 5e-3, "iPhone and Mac"),
        Kind("c-array", "c-array", "int8", "_int8.h", False, 0.05, "microcontrollers", True),
    )
}  # fmt: skip
"""Every kind by name, in the order of tables."""

DEFAULT_KINDS = ("tflite-fp32", "tflite-fp16", "tflite-dynamic", "tflite-int8", "onnx-fp32", "onnx-int8")
"""What a bundle holds where nothing is named."""

ALL = "all"
"""Every kind that needs no further extra."""

NEEDS_EXTRA = ("coreml",)

ALIASES: dict[str, str] = {
    # Ultralytics' format names, and the words that people use.
    "tflite": "tflite-fp32",
    "litert": "tflite-fp32",
    "onnx": "onnx-fp32",
    "savedmodel": "saved-model",
    "tf-savedmodel": "saved-model",
    "tf-saved-model": "saved-model",
    "core-ml": "coreml",
    "mlpackage": "coreml",
    "mlprogram": "coreml",
    "c": "c-array",
    "h": "c-array",
    "tflm": "c-array",
    "tflite-micro": "c-array",
    "micro": "c-array",
    # Precisions alone mean TFLite, as in the LiteRT converter's documentation.
    "fp32": "tflite-fp32",
    "float32": "tflite-fp32",
    "float": "tflite-fp32",
    "fp16": "tflite-fp16",
    "float16": "tflite-fp16",
    "half": "tflite-fp16",
    "int8": "tflite-int8",
    "full-integer": "tflite-int8",
    "full-integer-quant": "tflite-int8",
    "dynamic": "tflite-dynamic",
    "dynamic-range": "tflite-dynamic",
    "dynamic-range-quant": "tflite-dynamic",
    "int16x8": "tflite-int16x8",
    # Recipe names of the AI Edge Quantizer, and the short forms of weights and activations.
    "static-wi8-ai8": "tflite-int8",
    "w8a8": "tflite-int8",
    "static-wi8-ai16": "tflite-int16x8",
    "w8a16": "tflite-int16x8",
    "a16w8": "tflite-int16x8",
    "dynamic-wi8-afp32": "tflite-dynamic",
    "w8a32": "tflite-dynamic",
    "w8afp32": "tflite-dynamic",
    # As files are called.
    "tflite-float32": "tflite-fp32",
    "tflite-float16": "tflite-fp16",
    "tflite-w8a8": "tflite-int8",
    "onnx-float32": "onnx-fp32",
    "onnx-float16": "onnx-fp16",
    "onnx-half": "onnx-fp16",
    "qdq": "onnx-int8",
    "onnx-qdq": "onnx-int8",
    "onnx-w8a8": "onnx-int8",
    "u8s8": "onnx-int8",
}
"""Other spellings, in lower case with ``-`` for ``_``, and the kind that each means."""


def parse_kinds(names: Iterable[str]) -> tuple[Kind, ...]:
    """Looks kinds up.

    Args:
        names: Kind names, other spellings of them (:data:`ALIASES`), or ``all``; case,
            and whether a part is joined by ``-`` or ``_``, make no difference.

    Returns:
        The kinds, each once, in the order of tables.

    Raises:
        UnknownNameError: One is not known.
        UsageError: There is none.
    """
    wanted: set[str] = set()
    for name in names:
        spelled = name.strip().lower().replace("_", "-")
        if spelled == ALL:
            wanted.update(kind for kind in KINDS if kind not in NEEDS_EXTRA)
            continue
        spelled = ALIASES.get(spelled, spelled)
        if spelled not in KINDS:
            raise UnknownNameError.of("artifact", name, (*KINDS, ALL))
        wanted.add(spelled)
    if not wanted:
        raise UsageError(f"An export needs an artifact. Received: none. Use any of: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS.values() if kind.name in wanted)

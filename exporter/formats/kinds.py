"""The artifact kinds: one row says how a kind is made, loaded and checked, and what people call it.

The parts that need a converter are named as ``module:function`` and imported at use.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any, Literal

from edge_runtime.bundle.manifest import Dtype, Format
from edge_runtime.common.errors import UnknownNameError, UsageError

Precision = Literal["fp32", "fp16", "dynamic", "int8", "int16x8"]


@dataclass(frozen=True)
class Kind:
    """One way to write a model.

    Attributes:
        name: Its name everywhere, such as ``tflite-int8``.
        format: The format of its file.
        precision: The arithmetic it uses.
        ending: What follows the bundle's name in the file's name.
        note: What it is for, in a few words, for people.
        make: The function that returns the file's content; for a kind with a ``graph``, unused.
        made_of: The arguments of ``make``: attributes of :class:`exporter.convert.builder.Builder`, and names
            of other kinds, which stand for their content.
        golden_tolerance: Largest acceptable score difference between two machines. Float kernels
            differ in the order of sums; an int8 score may move by a few steps of the last
            quantized tensor where rounding goes the other way.
        exact: Whether its scores must equal the full model's to :data:`exporter.statistics.comparison.EXACT_DP`.
        picked: When it is written without being named: ``default``, by every export; ``search``, only
            by ``--best``; ``never``.
        graph: The :class:`~exporter.quantize.QuantGraph` that quantizes and repairs it; takes the content of the
            float file ``made_of``.
        metadata: The function that writes labels and preprocessing into the file.
        load: The function ``(model, name, input, threads) -> Engine`` that runs it in a check; empty if a
            device engine reads the file as it is, or nothing here runs it.
        wraps: The kind whose file it contains.
        threaded: Whether its engine takes a number of threads; TensorFlow manages its own.
        takes: Element type of the input, for files that no engine reads.
        batch: The batch dimension, for files that no engine reads.
        extra: The extra that its converter needs.
        aliases: Other spellings, in lower case with ``-`` for ``_``.
    """

    name: str
    format: Format
    precision: Precision
    ending: str
    note: str
    make: str
    made_of: tuple[str, ...]
    golden_tolerance: float
    exact: bool = False
    picked: Literal["default", "search", "never"] = "never"
    graph: str = ""
    metadata: str = ""
    load: str = ""
    wraps: str = ""
    threaded: bool = True
    takes: Dtype = "float32"
    batch: int | str = 1
    extra: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def quantized(self) -> bool:
        """Whether it is made with calibration images."""
        return bool(self.graph or self.wraps) or "calibration" in self.made_of

    @property
    def model_format(self) -> Format:
        """The format of the model inside the file."""
        return KINDS[self.wraps].format if self.wraps else self.format

    def file(self, stem: str) -> str:
        """The file's path in a bundle, such as ``flowers_int8.tflite``."""
        return f"{stem}{self.ending}"


def resolve(target: str) -> Any:
    """Imports what a row names.

    Args:
        target: ``module:function``.
    """
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)


_tflite = partial(Kind, format="tflite", metadata="exporter.formats.tflite_metadata:with_tflite_metadata")
_onnx = partial(Kind, format="onnx", metadata="exporter.formats.onnx_metadata:with_onnx_metadata")

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        _tflite(
            "tflite-fp32", precision="fp32", ending="_fp32.tflite", note="the full model's answers",
            make="exporter.convert.tflite:convert_fp32", made_of=("frozen",),
            golden_tolerance=1e-3, exact=True, picked="default",
            # Precisions alone mean TFLite, as in the LiteRT converter's documentation.
            aliases=("tflite", "litert", "tflite-float32", "fp32", "float32", "float"),
        ),
        _tflite(
            "tflite-fp16", precision="fp16", ending="_fp16.tflite", note="half the size, for GPUs",
            make="exporter.convert.tflite:convert_fp16", made_of=("frozen",),
            golden_tolerance=5e-3, picked="default",
            aliases=("tflite-float16", "fp16", "float16", "half"),
        ),
        _tflite(
            "tflite-dynamic", precision="dynamic", ending="_dynamic.tflite", note="size, not speed",
            make="exporter.convert.tflite:convert_dynamic", made_of=("frozen",),
            golden_tolerance=0.05, picked="default",
            aliases=(
                "dynamic", "dynamic-range", "dynamic-range-quant", "dynamic-wi8-afp32", "w8a32", "w8afp32",
            ),
        ),
        _tflite(
            "tflite-int8", precision="int8", ending="_int8.tflite", note="smallest and fastest",
            make="", made_of=("tflite-fp32",), graph="exporter.quantize:TfliteGraph",
            golden_tolerance=0.05, picked="default",
            # The recipe names of the AI Edge Quantizer, and the short forms of weights and activations.
            aliases=("int8", "full-integer", "full-integer-quant", "static-wi8-ai8", "w8a8", "tflite-w8a8"),
        ),
        _tflite(
            "tflite-int16x8", precision="int16x8", ending="_int16x8.tflite",
            note="accuracy, 20 times slower on a CPU",
            make="exporter.convert.tflite:convert_int16x8", made_of=("frozen", "calibration"),
            golden_tolerance=0.02, aliases=("int16x8", "static-wi8-ai16", "w8a16", "a16w8"),
        ),
        _onnx(
            "onnx-fp32", precision="fp32", ending="_fp32.onnx", note="the full model's answers",
            make="exporter.convert.onnx_file:convert_onnx", made_of=("model",),
            golden_tolerance=1e-3, exact=True, picked="default", aliases=("onnx", "onnx-float32"),
        ),
        _onnx(
            "onnx-fp16", precision="fp16", ending="_fp16.onnx", note="half the size, for GPUs",
            make="exporter.convert.onnx_file:convert_onnx_fp16", made_of=("onnx-fp32",),
            golden_tolerance=5e-3, picked="search", aliases=("onnx-float16", "onnx-half"),
        ),
        _onnx(
            "onnx-int8", precision="int8", ending="_int8.onnx", note="smallest, fastest on VNNI CPUs",
            make="", made_of=("onnx-fp32",), graph="exporter.quantize:OnnxGraph",
            golden_tolerance=0.05, picked="default", aliases=("qdq", "onnx-qdq", "onnx-w8a8", "u8s8"),
        ),
        Kind(
            "saved-model", "saved-model", "fp32", "_saved_model/saved_model.pb",
            "TensorFlow Serving and other servers",
            make="exporter.convert.saved_model:convert_saved_model", made_of=("model",),
            golden_tolerance=1e-3, exact=True, batch="batch",
            load="exporter.convert.saved_model:open_saved_model_artifact", threaded=False,
            aliases=("savedmodel", "tf-savedmodel", "tf-saved-model"),
        ),
        Kind(
            "coreml", "coreml", "fp16", ".mlpackage.zip", "iPhone and Mac",
            make="exporter.convert.coreml:convert_coreml", made_of=("model", "labels", "name"),
            # A Core ML model takes an image, which is uint8 pixels.
            golden_tolerance=5e-3, takes="uint8",
            extra="coreml", aliases=("core-ml", "mlpackage", "mlprogram"),
        ),
        Kind(
            "c-array", "c-array", "int8", "_int8.h", "microcontrollers",
            make="exporter.formats.c_array:c_array", made_of=("tflite-int8", "name", "labels", "input"),
            golden_tolerance=0.05, takes="uint8", wraps="tflite-int8", load="exporter.formats.c_array:open_c_array",
            aliases=("c", "h", "tflm", "tflite-micro", "micro"),
        ),
    )
}  # fmt: skip
"""Every kind by name, in the order of tables."""

CASCADE = "tflite-cascade"
"""The kind of a cascade, which is no file of its own: an image goes to the second only if the first is not sure."""

CASCADE_FIRST, CASCADE_SECOND = "tflite-int8", "tflite-fp32"

DEFAULT_KINDS = tuple(kind.name for kind in KINDS.values() if kind.picked == "default")
"""What a bundle holds if no kind is named."""

SEARCHED_KINDS = tuple(kind.name for kind in KINDS.values() if kind.picked != "never")
"""What ``--best`` tries if no kind is named: all that devices run, except int16x8, which never wins."""

REPAIRABLE_KINDS = tuple(kind.name for kind in KINDS.values() if kind.graph)
"""Kinds that are quantized from a float file of the same format, and can be repaired."""

ALL = "all"
"""Every kind that needs no further extra."""

ALIASES = {alias: kind.name for kind in KINDS.values() for alias in kind.aliases}
"""Other spellings, and the kind that each means."""


def parse_kinds(names: Iterable[str]) -> tuple[Kind, ...]:
    """Looks kinds up.

    Args:
        names: Kind names, other spellings of them (:data:`ALIASES`), or ``all``; case,
            and whether a part is joined by ``-`` or ``_``, make no difference.

    Returns:
        The kinds, each once, in the order of tables.

    Raises:
        UnknownNameError: One is not known.
        UsageError: No name was given.
    """
    wanted: set[str] = set()
    for name in names:
        spelled = name.strip().lower().replace("_", "-")
        if spelled == ALL:
            wanted.update(kind.name for kind in KINDS.values() if not kind.extra)
            continue
        spelled = ALIASES.get(spelled, spelled)
        if spelled not in KINDS:
            raise UnknownNameError.of("artifact", name, (*KINDS, ALL))
        wanted.add(spelled)
    if not wanted:
        raise UsageError(f"An export needs an artifact. Received: none. Use any of: {', '.join(KINDS)}.")
    return tuple(kind for kind in KINDS.values() if kind.name in wanted)

"""A .tflite file as a C header, for TensorFlow Lite Micro and other runtimes without a file system."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

from edge_runtime.engines import Engine, available, open_engine
from edge_runtime.engines.c_header import tflite_in
from edge_runtime.engines.tflite_micro import arena_bytes
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.flatbuffer import operators

ALIGNMENT = 16
"""Bytes; TensorFlow Lite Micro reads weights in place and requires this."""

_PER_LINE = 16
_ODD_METHODS = {"CUMSUM": "AddCumSum", "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM"}
"""Methods of ``MicroMutableOpResolver`` that do not follow the operator's name."""

_MEASURED = """\
 * Memory: the arena was measured with tflite-micro {version} on a machine with 64-bit pointers, to
 *         16 bytes. A 32-bit chip needs less for the same kernels; kernels of its maker, such as
 *         CMSIS-NN, may need more. interpreter.arena_used_bytes() says it on the chip."""

_NOT_MEASURED = """\
 * Memory: the arena was not measured, so that the macro ..._ARENA_BYTES is not defined. Run
 *         "pip install tflite-micro" and export again, or define it large enough and take what
 *         interpreter.arena_used_bytes() says on the chip after AllocateTensors()."""


def c_array(model: bytes, name: str, labels: tuple[str, ...], spec: InputSpec) -> bytes:
    """Writes a header that compiles as C99 with GNU attributes, C11 and C++11.

    Args:
        model: An int8 .tflite file: uint8 pixels in, float32 scores out.
        name: The bundle's name; characters that C does not allow become ``_``.
        labels: Class names in the order of the scores.
        spec: The model's input.

    Returns:
        ASCII text.
    """
    stem = identifier(name)
    guard = f"SNAPSHIP_{stem.upper()}_INT8_H_"
    rows = (model[start : start + _PER_LINE] for start in range(0, len(model), _PER_LINE))
    array = ",\n".join("  " + ", ".join(f"0x{byte:02x}" for byte in row) for row in rows)
    names = ",\n".join(f"  {_quoted(label)}" for label in labels)
    methods = [resolver_method(operator) for operator in operators(model)]
    adding = " \\\n".join(f"  (resolver).{method}();" for method in methods)
    prefix = stem.upper()
    arena = arena_bytes(model) if available("tflite-micro") else None
    about_arena = _MEASURED.format(version=version("tflite-micro")) if arena else _NOT_MEASURED
    arena_macro = f"#define {prefix}_ARENA_BYTES {arena}\n" if arena else ""
    text = f"""\
/* {name}: an int8 TensorFlow Lite image classifier of {len(labels)} classes, made by snapship.
 *
 * Input:  uint8 [1, {spec.height}, {spec.width}, {spec.channels}], raw {_pixels(spec)}
 * Output: float32 [1, {len(labels)}], a score per label, summing to 1.
 * Operators: {len(methods)} kinds; {prefix}_ADD_OPERATORS adds them to a resolver.
{about_arena}
 *
 * In C++, with TensorFlow Lite Micro:
 *
 *   static tflite::MicroMutableOpResolver<{prefix}_OPERATORS> resolver;
 *   {prefix}_ADD_OPERATORS(resolver)
 *   alignas({ALIGNMENT}) static uint8_t arena[{prefix}_ARENA_BYTES];
 *   static tflite::MicroInterpreter interpreter(tflite::GetModel({stem}_int8_tflite), resolver,
 *                                               arena, sizeof(arena));
 *   interpreter.AllocateTensors();
 *   memcpy(interpreter.input(0)->data.uint8, pixels, {prefix}_HEIGHT * {prefix}_WIDTH * {prefix}_CHANNELS);
 *   interpreter.Invoke();
 *   const float *scores = interpreter.output(0)->data.f;
 */
#ifndef {guard}
#define {guard}

#if defined(__cplusplus)
#define {guard}ALIGNED alignas({ALIGNMENT})
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define {guard}ALIGNED _Alignas({ALIGNMENT})
#else
#define {guard}ALIGNED __attribute__((aligned({ALIGNMENT})))
#endif

#define {prefix}_HEIGHT {spec.height}
#define {prefix}_WIDTH {spec.width}
#define {prefix}_CHANNELS {spec.channels}
#define {prefix}_CLASSES {len(labels)}
{arena_macro}#define {prefix}_OPERATORS {len(methods)}
#define {prefix}_ADD_OPERATORS(resolver) \\
{adding}

static const char *const {stem}_labels[{len(labels)}] = {{
{names}
}};

static const unsigned int {stem}_int8_tflite_len = {len(model)}u;

{guard}ALIGNED static const unsigned char {stem}_int8_tflite[{len(model)}] = {{
{array}
}};

#endif /* {guard} */
"""
    return text.encode("ascii")


def open_c_array(model: Path | bytes, name: str, input: InputSpec, threads: int) -> Engine:
    """Runs the file inside a header, for a check.

    Args:
        model: Path or bytes of the header.
        name: Its name, for messages.
        input: Unused: the file inside says what it takes.
        threads: Threads of one inference.
    """
    header = model if isinstance(model, bytes) else model.read_bytes()
    return open_engine(tflite_in(header), "tflite", name, threads=threads)


def resolver_method(operator: str) -> str:
    """The method of ``MicroMutableOpResolver`` that adds an operator: ``CONV_2D`` -> ``AddConv2D``.

    Args:
        operator: Its name in TFLite's schema.
    """
    parts = (
        re.sub(r"\dd$|v\d$", lambda end: end[0].upper(), part.capitalize()) for part in operator.split("_")
    )
    return _ODD_METHODS.get(operator, "Add" + "".join(parts))


def identifier(name: str) -> str:
    """A bundle's name as a C identifier: ``my-flowers`` -> ``my_flowers``.

    Args:
        name: The name.
    """
    kept = "".join(sign if sign.isascii() and sign.isalnum() else "_" for sign in name).lower()
    return f"model_{kept}" if not kept or kept[0].isdigit() or kept[0] == "_" else kept


def _pixels(spec: InputSpec) -> str:
    order = "RGB" if spec.channels == 3 else "gray"
    resized = "\n *         Resized bilinearly without antialiasing." if spec.resize == "plain" else ""
    return f"{order} pixels 0..255, row by row.{resized}"


def _quoted(label: str) -> str:
    """A C string of the label's UTF-8 bytes; octal escapes have a fixed length, hex escapes do not."""
    signs = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in '"\\?' else f"\\{byte:03o}"
        for byte in label.encode("utf-8")
    )
    return f'"{"".join(signs)}"'

"""A .tflite file as a C header, for TensorFlow Lite Micro and other runtimes without a file system."""

from __future__ import annotations

import re
from pathlib import Path

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines import Engine, open_engine
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.flatbuffer import IDENTIFIER

ALIGNMENT = 16
"""Bytes; TensorFlow Lite Micro reads weights in place and requires this."""

_PER_LINE = 16
_BYTE = re.compile(r"0x([0-9a-f]{2})")


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
    text = f"""\
/* {name}: an int8 TensorFlow Lite image classifier of {len(labels)} classes, made by snapship.
 *
 * Input:  uint8 [1, {spec.height}, {spec.width}, {spec.channels}], raw {_pixels(spec)}
 * Output: float32 [1, {len(labels)}], a score per label, summing to 1.
 * Operators: QUANTIZE at the input; DEQUANTIZE and SOFTMAX in float at the output.
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

#define {stem.upper()}_HEIGHT {spec.height}
#define {stem.upper()}_WIDTH {spec.width}
#define {stem.upper()}_CHANNELS {spec.channels}
#define {stem.upper()}_CLASSES {len(labels)}

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


def tflite_in(header: bytes) -> bytes:
    """The .tflite file inside a header.

    Args:
        header: What :func:`c_array` wrote.

    Raises:
        ModelFileError: It contains none.
    """
    text = header.decode("ascii", errors="replace")
    start = text.find("_int8_tflite[")
    model = bytes(int(pair, 16) for pair in _BYTE.findall(text[start:])) if start >= 0 else b""
    if model[4:8] != IDENTIFIER:
        raise ModelFileError(
            "A C array must hold a .tflite file. Received: a header without one. Export it again."
        )
    return model


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

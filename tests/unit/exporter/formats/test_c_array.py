from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.c_header import tflite_in
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.c_array import c_array, identifier, resolver_method

MODEL = (Path(__file__).parents[3] / "data" / "digits.bundle" / "digits_int8.tflite").read_bytes()
LABELS = ('say "hi"', "back\\slash", "Löwenzahn", "what??!", "line\ttab")

PROGRAM = """\
#include <stdio.h>
#include <stdint.h>
#include "model.h"
int main(void) {
  for (int i = 0; i < MY_FLOWERS_CLASSES; ++i) fprintf(stderr, "%s\\n", my_flowers_labels[i]);
  fwrite(my_flowers_int8_tflite, 1, my_flowers_int8_tflite_len, stdout);
  return (uintptr_t)my_flowers_int8_tflite % 16 != 0;
}
"""


@pytest.mark.parametrize("compiler", [("gcc", "-std=c99"), ("gcc", "-std=c11"), ("g++", "-std=c++17")])
def test_header_compiles_and_gives_back_the_file(compiler: tuple[str, str], tmp_path: Path) -> None:
    if shutil.which(compiler[0]) is None:
        pytest.skip(f"needs {compiler[0]}")
    header = c_array(MODEL, "my-flowers", LABELS, InputSpec(96, 64))
    (tmp_path / "model.h").write_bytes(header)
    source = tmp_path / ("main.cc" if compiler[0] == "g++" else "main.c")
    source.write_text(PROGRAM, encoding="ascii")
    program = tmp_path / "main"
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-o", program, source], check=True)
    done = subprocess.run([program], capture_output=True, check=True)
    assert done.stdout == MODEL
    assert done.stderr.decode("utf-8").splitlines() == list(LABELS)


def test_file_is_found_in_the_header() -> None:
    header = c_array(MODEL, "x", ("a", "x_int8_tflite[0xff]"), InputSpec(8, 8, 1))
    assert tflite_in(header) == MODEL
    assert b"uint8 [1, 8, 8, 1], raw gray pixels" in header


def test_header_names_the_operators_that_the_model_has() -> None:
    header = c_array(MODEL, "x", LABELS, InputSpec(16, 16, 1)).decode("ascii")
    added = [line.split(".")[1].split("(")[0] for line in header.splitlines() if "(resolver).Add" in line]
    assert added == [
        "AddQuantize", "AddConv2D", "AddMaxPool2D", "AddReshape", "AddFullyConnected", "AddDequantize", "AddSoftmax",
    ]  # fmt: skip
    assert "#define X_OPERATORS 7\n" in header


def test_arena_is_measured_or_not_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    def header(measured: int | None) -> str:
        monkeypatch.setattr("exporter.formats.c_array.available", lambda engine: measured is not None)
        monkeypatch.setattr("exporter.formats.c_array.arena_bytes", lambda model: measured)
        monkeypatch.setattr("exporter.formats.c_array.version", lambda package: f"1.0 of {package}")
        return c_array(MODEL, "x", LABELS, InputSpec(16, 16, 1)).decode("ascii")

    with_number, without = header(11808), header(None)
    assert "#define X_ARENA_BYTES 11808\n" in with_number
    assert "measured with tflite-micro 1.0 of tflite-micro" in with_number
    assert "#define X_ARENA_BYTES" not in without
    assert 'Run\n *         "pip install tflite-micro"' in without


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("CONV_2D", "AddConv2D"), ("DEPTHWISE_CONV_2D", "AddDepthwiseConv2D"), ("MAX_POOL_2D", "AddMaxPool2D"),
        ("FULLY_CONNECTED", "AddFullyConnected"), ("PADV2", "AddPadV2"), ("RELU6", "AddRelu6"),
        ("HARD_SWISH", "AddHardSwish"), ("L2_POOL_2D", "AddL2Pool2D"), ("GATHER_ND", "AddGatherNd"),
        ("CUMSUM", "AddCumSum"), ("SELECT_V2", "AddSelectV2"), ("ADD_N", "AddAddN"), ("MEAN", "AddMean"),
    ],
)  # fmt: skip
def test_resolver_method_is_spelled_as_in_tensorflow_lite_micro(operator: str, method: str) -> None:
    assert resolver_method(operator) == method


@pytest.mark.parametrize("header", [b"", b"int x;", b"unsigned char x_int8_tflite[2] = {0x00, 0x01};"])
def test_header_without_a_model(header: bytes) -> None:
    with pytest.raises(ModelFileError, match=r"\.tflite"):
        tflite_in(header)


@pytest.mark.parametrize(
    ("name", "expected"), [("Flowers-1.2", "flowers_1_2"), ("5 a day", "model_5_a_day"), ("_x", "model__x")]
)
def test_name_becomes_an_identifier(name: str, expected: str) -> None:
    assert identifier(name) == expected


def test_header_says_a_plain_resize_and_is_else_what_it_was() -> None:
    usual, plain = (
        c_array(MODEL, "x", LABELS, InputSpec(96, 64, resize=how)) for how in ("antialiased", "plain")
    )
    line = b" *         Resized bilinearly without antialiasing.\n"
    assert line not in usual
    assert plain.replace(line, b"") == usual

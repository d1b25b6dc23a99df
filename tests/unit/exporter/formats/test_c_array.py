from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.c_array import c_array, identifier, tflite_in

MODEL = b"\x1c\0\0\0TFL3" + np.random.default_rng(0).bytes(5003)
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
    header = c_array(MODEL, "x", ("a", "b"), InputSpec(8, 8, 1))
    assert tflite_in(header) == MODEL
    assert b"uint8 [1, 8, 8, 1], raw gray pixels" in header


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

"""The C header on Cortex-M: compiled by a cross compiler, and run by QEMU with the core that makes its pixels.

What QEMU does not run here is the model: TensorFlow Lite Micro's sources are in no package registry.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import Bundle, InputSpec, pixels
from edge_runtime.golden import read_golden
from edge_runtime.image.input_spec import Resize
from edge_runtime.image.preprocess import UInt8Array, decoded
from exporter.formats.c_array import c_array

HERE = Path(__file__).with_name("cortex_m")
CORE = Path(__file__).resolve().parents[4] / "edge_runtime" / "native"
SOURCES = ("resizer.c", "resample.c", "bilinear.c", "sha256.c")
COMPILER = "arm-none-eabi-gcc"
BOARDS = {
    "mps2-an385": ("-mcpu=cortex-m3", "-mfloat-abi=soft"),
    "mps2-an386": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
    "mps2-an500": ("-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"),
}
"""QEMU's machines: without a floating-point unit, with one of 32 bits, with one of 64."""

STRICT = ("-Wall", "-Wextra", "-Werror")
SIDE = InputSpec(16, 16, 1)

RESOLVER = """\
#include "digits_int8.h"
template <unsigned N> struct MicroMutableOpResolver {
  unsigned count = 0;
  void AddConv2D() { ++count; }
  void AddDequantize() { ++count; }
  void AddFullyConnected() { ++count; }
  void AddMean() { ++count; }
  void AddMul() { ++count; }
  void AddAdd() { ++count; }
  void AddMaxPool2D() { ++count; }
  void AddQuantize() { ++count; }
  void AddReshape() { ++count; }
  void AddSoftmax() { ++count; }
};
unsigned wrong() {
  MicroMutableOpResolver<DIGITS_OPERATORS> resolver;
  DIGITS_ADD_OPERATORS(resolver)
  return resolver.count - DIGITS_OPERATORS;
}
"""


@pytest.fixture(scope="module")
def place(digits_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the header of the digits' model."""
    if shutil.which(COMPILER) is None:
        pytest.skip(f"needs {COMPILER} (Debian: gcc-arm-none-eabi libnewlib-arm-none-eabi)")
    folder = tmp_path_factory.mktemp("cortex-m")
    model = (digits_bundle / "digits_int8.tflite").read_bytes()
    labels = Bundle.open(digits_bundle).manifest.labels
    (folder / "digits_int8.h").write_bytes(c_array(model, "digits", labels, SIDE))
    return folder


@pytest.mark.parametrize(
    "language", [("-x", "c", "-std=c99"), ("-x", "c", "-std=c11"), ("-x", "c++", "-std=c++11")]
)
@pytest.mark.parametrize("cpu", ["cortex-m0plus", "cortex-m4", "cortex-m33", "cortex-m55"])
def test_model_is_whole_aligned_and_in_flash(
    place: Path, digits_bundle: Path, tmp_path: Path, language: tuple[str, ...], cpu: str
) -> None:
    source, made = tmp_path / "model.c", tmp_path / "model.o"
    source.write_text(
        '#include "digits_int8.h"\nconst void *model(void) { return digits_int8_tflite; }\n', "ascii"
    )
    flags = (f"-mcpu={cpu}", "-mthumb", "-mfloat-abi=soft")
    subprocess.run(
        [
            COMPILER,
            *language,
            *flags,
            *STRICT,
            "-Wno-unused-variable",
            f"-I{place}",
            "-c",
            "-o",
            made,
            source,
        ],
        check=True,
    )
    content = tmp_path / "rodata.bin"
    subprocess.run(
        ["arm-none-eabi-objcopy", "-O", "binary", "--only-section=.rodata", made, content], check=True
    )
    model = (digits_bundle / "digits_int8.tflite").read_bytes()
    data = content.read_bytes()
    assert data.find(model) % 16 == 0
    assert data.count(model) == 1
    sections = subprocess.run(
        ["arm-none-eabi-objdump", "-h", made], capture_output=True, text=True, check=True
    ).stdout
    (rodata,) = (line for line in sections.splitlines() if " .rodata " in line)
    assert 2 ** int(rodata.rsplit("**", 1)[1]) >= 16


def test_operators_are_added_to_a_resolver(place: Path, tmp_path: Path) -> None:
    source = tmp_path / "resolver.cc"
    source.write_text(RESOLVER, encoding="ascii")
    command = [COMPILER, "-x", "c++", "-std=c++17", "-mcpu=cortex-m4", "-mthumb", "-O2", *STRICT]
    command += ["-Wno-unused-variable", f"-I{place}", "-S", "-o", "-", source]
    made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Worked out by the compiler: all that is left of it is "return 0".
    assert "movs\tr0, #0" in made.split("wrong", 1)[1].split("bx\tlr", 1)[0]


@pytest.mark.parametrize("language", [("-x", "c", "-std=c99"), ("-x", "c++", "-std=c++11")])
@pytest.mark.parametrize("board", BOARDS)
def test_chip_has_the_model_and_makes_our_pixels(
    run_on: Callable[..., list[str]], digits_bundle: Path, board: str, language: tuple[str, ...]
) -> None:
    lines = run_on(board, language)
    bundle = Bundle.open(digits_bundle)
    labels, hashes = lines[: len(bundle.manifest.labels)], lines[len(bundle.manifest.labels) :]
    assert labels == [f"label {label}" for label in bundle.manifest.labels]
    artifact = bundle.artifact("tflite-int8")
    expected = [f"pixels {pixels_hash(*picture)}" for picture in pictures(digits_bundle)]
    assert hashes == [f"model {artifact.sha256}", *expected]
    # The bundle's own words: stage "pixels" of its golden examples, on a microcontroller.
    golden = [f"pixels {example.pixels_sha256}" for example in read_golden(bundle).examples]
    assert hashes[1 : 1 + len(golden)] == golden


@pytest.fixture
def run_on(place: Path, digits_bundle: Path, tmp_path: Path) -> Callable[..., list[str]]:
    """Builds the program for a board, runs it in QEMU, and returns what it says."""
    if shutil.which("qemu-system-arm") is None:
        pytest.skip("needs qemu-system-arm")
    (tmp_path / "pictures.h").write_text(pictures_header(pictures(digits_bundle)), encoding="ascii")

    def run(board: str, language: tuple[str, ...]) -> list[str]:
        cpu = (
            *BOARDS[board],
            "-mthumb",
            "-O2",
            "-ffp-contract=off",
            "-ffunction-sections",
            "-fdata-sections",
            "-fno-exceptions",
            "-fno-unwind-tables",
        )
        includes = (f"-I{place}", f"-I{tmp_path}", f"-I{CORE}")
        program = tmp_path / "program.elf"
        replay = tmp_path / "replay.o"
        compiled = [COMPILER, *cpu, *includes, *STRICT, *language, "-c", "-o", replay, HERE / "replay.c"]
        subprocess.run(compiled, check=True)
        sources = [HERE / "board.c", *(CORE / name for name in SOURCES)]
        linked = [COMPILER, *cpu, *includes, "-std=gnu11", "-nostartfiles", "--specs=nano.specs"]
        linked += ["--specs=nosys.specs", f"-Wl,-T,{HERE / 'board.ld'}", "-Wl,--gc-sections"]
        subprocess.run([*linked, "-o", program, *sources, replay, "-lm"], check=True, capture_output=True)
        command = ["qemu-system-arm", "-M", board, "-nographic", "-monitor", "none", "-serial", "none"]
        command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(program)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (done.stdout, done.stderr)
        # QEMU writes what the program says to stderr.
        return (done.stderr + done.stdout).splitlines()

    return run


Picture = tuple[UInt8Array, Resize]


def pictures(digits_bundle: Path) -> list[Picture]:
    """The golden examples, decoded; and pictures that shrink and grow, in colour, gray, and plain."""
    bundle = Bundle.open(digits_bundle)
    examples: list[Picture] = [
        (np.asarray(decoded(bundle.read(example.file, example.sha256), 1))[:, :, np.newaxis], "antialiased")
        for example in read_golden(bundle).examples
    ]
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (97, 61, 3), dtype=np.uint8)
    small = rng.integers(0, 256, (11, 7, 1), dtype=np.uint8)
    for array in (photo, photo[:, :, :1], small):
        for how in ("antialiased", "plain"):
            examples.append((array, how))  # type: ignore[arg-type]
    return examples


def pixels_hash(picture: UInt8Array, how: Resize) -> str:
    """What Python makes of a picture."""
    spec = InputSpec(SIDE.height, SIDE.width, picture.shape[2], resize=how)
    return hashlib.sha256(pixels(picture, spec).tobytes()).hexdigest()


def pictures_header(taken: list[Picture]) -> str:
    """The pictures as C: rows of 4 bytes per pixel in colour, of 1 in gray."""
    rows, entries = [], []
    for number, (array, how) in enumerate(taken):
        height, width, channels = array.shape
        if channels == 3:
            array = np.concatenate([array, np.full((height, width, 1), 255, np.uint8)], axis=2)
        values = ",".join(map(str, array.ravel()))
        rows.append(f"static const uint8_t rows_{number}[] = {{{values}}};")
        entries.append(f"  {{{width}, {height}, {channels}, {int(how == 'plain')}, rows_{number}}},")
    struct = "typedef struct { int width, height, channels, plain; const uint8_t *rows; } Picture;"
    table = "\n".join(["static const Picture pictures[] = {", *entries, "};"])
    return "\n".join(["#include <stdint.h>", struct, *rows, table, ""])

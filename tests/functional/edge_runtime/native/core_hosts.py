"""The C core in other hosts than Python: builds a program for each, and runs jobs in it.

A job is a line of words, then bytes; the answer is its length as an int32, then bytes. A refused job's
length is -1, and -2 if the core took rows that a picture does not have::

    resize WIDTH HEIGHT LEFT TOP RIGHT BOTTOM OUT_WIDTH OUT_HEIGHT CHANNELS PLAIN PORTABLE BAND   the rows
    pixels COUNT CHANNELS                                                                         RGBA
    opaque COUNT                                                                                  RGBA
    best SIZE COUNT                                                                               float32
    sha256 BYTES BAND                                                                             the bytes
"""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.resize_and_crop import box, kept_part

HERE = Path(__file__).parent
ROOT = HERE.parents[3]
NATIVE = ROOT / "edge_runtime" / "native"
WASM = ROOT / "phone" / "web" / "core.wasm"
LIBRARY = sorted(path for path in NATIVE.glob("*.c") if path.stem not in ("python", "wasm", "jni"))
FLAGS = ("-std=gnu11", "-O3", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}")


@dataclass(frozen=True)
class Job:
    """One call of the core."""

    line: str
    data: bytes


@dataclass(frozen=True)
class Host:
    """A program that runs jobs."""

    command: tuple[str, ...]

    def run(self, jobs: Sequence[Job]) -> list[bytes | None]:
        """The answers; None for a refused job."""
        return self.run_and_report(jobs)[0]

    def run_and_report(self, jobs: Sequence[Job]) -> tuple[list[bytes | None], str]:
        """The answers, and what the program wrote to its standard error."""
        written = b"".join(job.line.encode() + b"\n" + job.data for job in jobs)
        done = subprocess.run(self.command, input=written, capture_output=True, timeout=120, check=False)
        assert done.returncode == 0, (done.returncode, done.stderr.decode())
        answers = list(_answers(done.stdout))
        assert len(answers) == len(jobs)
        return answers, done.stderr.decode()


def _answers(written: bytes) -> Iterator[bytes | None]:
    at = 0
    while at < len(written):
        (size,) = struct.unpack_from("<i", written, at)
        assert size != -2, "took rows that the picture does not have, or did not finish"
        yield None if size < 0 else written[at + 4 : at + 4 + size]
        at += 4 + max(size, 0)


def resize_job(rows: np.ndarray, spec: InputSpec, band: int, *, portable: bool = False) -> Job:
    """The resize that :func:`edge_runtime.image.preprocess.pixels` does.

    Args:
        rows: uint8 ``[height, width, 4]``, or ``[height, width]`` of gray.
        spec: Size, fit and resize.
        band: Rows that are pushed at a time.
        portable: Without vector instructions written by hand.
    """
    size = (rows.shape[1], rows.shape[0])
    part = kept_part(size, spec) if spec.resize == "plain" else box(size, spec)
    numbers = (*size, *map(repr, part), spec.width, spec.height, spec.channels)
    flags = (int(spec.resize == "plain"), int(portable), band)
    return Job(" ".join(map(str, ("resize", *numbers, *flags))), rows.tobytes())


def needs(*programs: str) -> None:
    """Skips the test where one of the programs is missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def compiled(compiler: str, output: Path, *flags: str, sources: Sequence[Path] = ()) -> Path:
    """Compiles the library with the program for tests, or with other sources."""
    needs(compiler)
    files = [*LIBRARY, *(sources or [HERE / "host_program.c"])]
    command = [compiler, *FLAGS, *flags, *map(str, files), "-o", str(output), "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


def gcc(folder: Path) -> Host:
    return Host((str(compiled("gcc", folder / "core-gcc")),))


def clang(folder: Path) -> Host:
    return Host((str(compiled("clang", folder / "core-clang")),))


def arm64(folder: Path) -> Host:
    """Static: qemu needs no libraries of that machine."""
    needs("qemu-aarch64")
    return Host(("qemu-aarch64", str(compiled("aarch64-linux-gnu-gcc", folder / "core-arm64", "-static"))))


def wasm(folder: Path) -> Host:
    needs("node")
    return Host(("node", str(HERE / "host_program.mjs"), str(WASM)))


def jvm(folder: Path) -> Host:
    needs("javac")
    home = Path(shutil.which("javac") or "").resolve().parents[1]
    if not (home / "include" / "jni.h").is_file():
        pytest.skip("needs jni.h of the JDK")
    include = [f"-I{home / 'include'}", f"-I{home / 'include' / 'linux'}", "-shared", "-fPIC"]
    library = compiled("gcc", folder / "libcore.so", *include, sources=[NATIVE / "jni.c"])
    java = HERE / "java"
    files = [str(path) for path in sorted(java.rglob("*.java"))]
    subprocess.run(["javac", "-d", str(folder), *files], check=True)
    # Checks what the native methods hand to the machine, and says so on the standard output.
    command = (str(home / "bin" / "java"), "-Xcheck:jni", "-cp", str(folder), "HostProgram", str(library))
    return Host(command)


HOSTS = {"gcc": gcc, "clang": clang, "arm64": arm64, "wasm": wasm, "jvm": jvm}

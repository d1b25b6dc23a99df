"""The compiled part under the address and undefined-behaviour sanitizers: no byte outside what it was given."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NATIVE = Path(__file__).resolve().parents[3] / "edge_runtime" / "native"
# Other hosts of the core: native/test_bands_sanitized.py runs what they call.
SOURCES = sorted(path for path in NATIVE.glob("*.c") if path.name not in ("wasm.c", "jni.c"))
WORKER = Path(__file__).with_name("sanitized_worker.py")


def library(name: str) -> str:
    """Where the compiler keeps a sanitizer's library."""
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(found).is_absolute():
        pytest.skip(f"needs {name} of the compiler")
    return found


def built(folder: Path, sources: list[Path]) -> str:
    """Compiles with sanitizers; returns what must be loaded before."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    include = sysconfig.get_path("include")
    if not Path(include, "Python.h").is_file():
        pytest.skip("needs Python's headers")
    loaded = f"{library('libasan.so')} {library('libubsan.so')}"
    flags = [
        "-g",
        "-O1",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=undefined",
        "-shared",
        "-fPIC",
    ]
    output = folder / "_native.abi3.so"
    subprocess.run(
        ["gcc", *flags, f"-I{include}", f"-I{NATIVE}", *map(str, sources), "-o", str(output), "-lm"],
        check=True,
    )
    return loaded


def run(folder: Path, loaded: str) -> subprocess.CompletedProcess[str]:
    # Leaks are the interpreter's at its end; its own allocator would hide what lies beside a block.
    environment = {
        **os.environ,
        "LD_PRELOAD": loaded,
        "ASAN_OPTIONS": "detect_leaks=0",
        "PYTHONMALLOC": "malloc",
    }
    return subprocess.run(
        [sys.executable, str(WORKER), str(folder), "5"],
        env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_nothing_outside_is_read_or_written(tmp_path: Path) -> None:
    done = run(tmp_path, built(tmp_path, SOURCES))
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > 1000


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("resample.c", "int latest = in_size - 4 * packed->groups,", "int latest = in_size,"),
        ("bilinear.c", "taps[at].first < pixels - (taps[at].weight > 0);", "taps[at].first < pixels;"),
    ],
)
def test_a_byte_too_far_would_be_seen(name: str, right: str, wrong: str, tmp_path: Path) -> None:
    sources = [path for path in SOURCES if path.name != name]
    broken = tmp_path / name
    text = (NATIVE / name).read_text()
    assert right in text
    broken.write_text(text.replace(right, wrong))
    loaded = built(tmp_path, [*sources, broken])
    if "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("needs a processor with AVX2")
    done = run(tmp_path, loaded)
    assert done.returncode != 0
    # Mostly a heap-buffer-overflow, but what lies behind the block is up to chance.
    assert "ERROR: AddressSanitizer" in done.stderr

"""core.wasm: the committed file is the source's, and a photo of 12 megapixels needs little memory."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from core_hosts import HERE, ROOT, WASM, Host, needs, resize_job

from edge_runtime.image.input_spec import InputSpec
from edge_runtime.image.resize_and_crop import fit_rows

MEGABYTE = 1_000_000


def number(data: bytes, at: int) -> tuple[int, int]:
    """A number of a WebAssembly file (LEB128), and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """https://webassembly.github.io/spec/core/binary/modules.html#sections"""
    assert data[:8] == b"\0asm\1\0\0\0"
    at = 8
    while at < len(data):
        size, start = number(data, at + 1)
        yield data[at], data[start : start + size]
        at = start + size


def compiler(data: bytes) -> str:
    """What the file says of the compiler that made it."""
    (found,) = [body for kind, body in sections(data) if kind == 0 and body[1:9] == b"compiler"]
    return found[9:].decode().strip()


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("make", "clang", "wasm-ld")
    path = tmp_path_factory.mktemp("wasm") / "core.wasm"
    done = subprocess.run(
        ["make", "--silent", "wasm", f"WASM={path}"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if "No available targets" in done.stderr:
        pytest.skip("needs a clang that compiles for wasm32")
    assert done.returncode == 0, done.stderr
    return path


def test_the_committed_file_is_the_source_s(rebuilt: Path) -> None:
    """The same compiler makes the same file; another one a file with the same pixels."""
    ours, theirs = WASM.read_bytes(), rebuilt.read_bytes()
    if compiler(ours) == compiler(theirs):
        same = hashlib.sha256(ours).hexdigest() == hashlib.sha256(theirs).hexdigest()
        assert same, "edge_runtime/native has changed: run make wasm"
        return
    needs("node")
    jobs = [
        resize_job(rows, InputSpec(height=96, width=64, fit=fit, resize=resize, channels=channels), 5)
        for rows, channels in ((noise(301, 203), 3), (noise(301, 203)[:, :, 0].copy(), 1))
        for fit in ("stretch", "crop")
        for resize in ("antialiased", "plain")
    ]
    assert node(WASM).run(jobs) == node(rebuilt).run(jobs)


def node(module: Path) -> Host:
    return Host(("node", str(HERE / "host_program.mjs"), str(module)))


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 4), dtype=np.uint8)


def test_it_imports_nothing_and_is_small() -> None:
    data = WASM.read_bytes()
    assert 2 not in [kind for kind, _ in sections(data)]
    assert len(data) < 16_000
    assert compiler(data).startswith("clang ")


@pytest.mark.parametrize("resize", ["antialiased", "plain"])
def test_twelve_megapixels_go_through_in_bands(resize: str) -> None:
    """64 MB is the limit beyond a decoder's own memory; the whole picture would be 48 MB."""
    needs("node")
    rows, spec, band = noise(4000, 3000), InputSpec(height=224, width=224, resize=resize), 16
    (found,), report = node(WASM).run_and_report([resize_job(rows, spec, band)])
    assert found == fit_rows(rows, spec).tobytes()
    memory = int(report)
    assert memory - 4 * 4000 * band < MEGABYTE


def test_memory_does_not_grow_with_the_number_of_photos() -> None:
    needs("node")
    done = subprocess.run(
        ["node", str(HERE / "wasm_memory.mjs"), str(WASM), "3000"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    first, last = map(int, done.stdout.split())
    assert first == last


def test_damaged_calls_are_refused() -> None:
    needs("node")
    done = subprocess.run(
        ["node", str(HERE / "wasm_refusals.mjs"), str(WASM)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "all refused\n"), done.stderr

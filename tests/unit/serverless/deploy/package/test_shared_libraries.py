"""What compiled files need, on a real one and on small ones made here."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from serverless.deploy.config.errors import SelfCheckError
from serverless.deploy.package.shared_libraries import MACHINES, check, linkage, orphans, stripped


def library(*needed: str, machine: int = MACHINES["x86_64"]) -> bytes:
    """A file with an ELF header, one segment of all of it, and the libraries that it needs."""
    header, segment, base = 64, 56, 0x1000
    strings, offsets = b"\0", []
    for name in needed:
        offsets.append(len(strings))
        strings += name.encode() + b"\0"
    start = header + 2 * segment
    dynamic_bytes = 16 * (len(needed) + 2)
    table = base + start + dynamic_bytes
    dynamic = b"".join(struct.pack("<qQ", 1, offset) for offset in offsets)
    dynamic += struct.pack("<qQ", 5, table) + struct.pack("<qQ", 0, 0)
    total = start + dynamic_bytes + len(strings)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, total, total, 0x1000)
    moving = struct.pack(
        "<IIQQQQQQ", 2, 4, start, base + start, base + start, dynamic_bytes, dynamic_bytes, 8
    )
    elf = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, machine, 1)
    elf += struct.pack("<QQQIHHHHHH", 0, header, 0, 0, 64, segment, 2, 0, 0, 0)
    return elf + load + moving + dynamic + strings


@pytest.mark.skipif(sys.platform != "linux", reason="its compiled files are not ELF")
def test_linkage_of_a_real_file() -> None:
    (path,) = Path(msgspec.__file__).parent.glob("_core*.so")
    found = linkage(path.read_bytes())
    assert found is not None
    assert found.machine in MACHINES.values()
    assert "libc.so.6" in found.needed


def test_linkage_of_a_made_file() -> None:
    found = linkage(library("liba.so", "libm.so.6"))
    assert found is not None
    assert found.needed == ("liba.so", "libm.so.6")
    assert linkage(b"import numpy") is None


@pytest.mark.parametrize("length", [20, 70, 130, 200])
def test_linkage_of_a_damaged_file_is_told(length: int) -> None:
    with pytest.raises(SelfCheckError, match="must be whole"):
        linkage(library("liba.so")[:length])


def test_stripped_keeps_what_is_loaded_and_cuts_off_the_rest() -> None:
    whole = library("liba.so")
    with_symbols = bytearray(whole + b"symbols" * 100)
    # Where the table of sections is, and its entries' size, number and names.
    struct.pack_into("<Q", with_symbols, 40, len(whole) + 10)
    struct.pack_into("<HHH", with_symbols, 58, 64, 7, 6)
    left = stripped(bytes(with_symbols))
    assert left == whole
    assert linkage(left) == linkage(whole)
    assert stripped(b"import numpy") == b"import numpy"


def test_stripped_empties_gaps_between_segments() -> None:
    header, segment = 64, 56
    loads = (struct.pack("<IIQQQQQQ", 1, 5, start, 0, 0, 16, 16, 1) for start in (200, 300))
    elf = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57) + b"".join(loads) + b"x" * 200)
    struct.pack_into("<Q", elf, 32, header)
    struct.pack_into("<HH", elf, 54, segment, 2)
    left = stripped(bytes(elf))
    assert len(left) == 316
    assert left[200:216] == left[300:316] == b"x" * 16
    assert left[216:300] == bytes(84)


@pytest.mark.skipif(sys.platform != "linux", reason="its compiled files are not ELF")
def test_stripped_real_file_is_loaded_as_before(tmp_path: Path) -> None:
    own = tmp_path / "msgspec"
    shutil.copytree(Path(msgspec.__file__).parent, own)
    (path,) = own.glob("_core*.so")
    whole = path.read_bytes()
    left = stripped(whole)
    assert len(left) < len(whole)
    assert stripped(left) == left
    assert linkage(left) == linkage(whole)
    path.write_bytes(left)
    code = "import msgspec; print(msgspec._core.__file__, msgspec.json.encode([1]))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == f"{path} b'[1]'\n"


def test_stripped_leaves_a_file_without_segments_to_the_linker() -> None:
    elf = bytearray(b"\x7fELF\x02\x01\x01" + bytes(57) + b"code and symbols")
    assert stripped(bytes(elf)) == elf


def test_orphans_are_bundled_libraries_that_no_module_reaches() -> None:
    files = {
        "PIL/_imaging.so": library("libtiff.so", "libc.so.6"),
        "pillow.libs/libtiff.so": library("libz-1.so"),
        "pillow.libs/libz-1.so": library(),
        # Two that need each other, and nobody needs them.
        "pillow.libs/libfreetype.so": library("libharfbuzz.so"),
        "pillow.libs/libharfbuzz.so": library("libfreetype.so", "libz-1.so"),
        "PIL/Image.py": b"x = 1",
    }
    assert orphans(files) == {"pillow.libs/libfreetype.so", "pillow.libs/libharfbuzz.so"}


def test_check_finds_a_library_that_was_left_out() -> None:
    files = {"a/b.so": library("libtiff.so", "libstdc++.so.6"), "a.libs/libtiff.so": library()}
    check(files, "x86_64")
    del files["a.libs/libtiff.so"]
    with pytest.raises(SelfCheckError, match=r"a/b\.so without libtiff\.so"):
        check(files, "x86_64")


def test_check_finds_another_processor() -> None:
    files = {"a/b.so": library(machine=MACHINES["arm64"])}
    check(files, "arm64")
    with pytest.raises(SelfCheckError, match="must be for x86_64"):
        check(files, "x86_64")

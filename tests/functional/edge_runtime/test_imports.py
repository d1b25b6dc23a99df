"""What a program that answers one image has loaded, each with the reason why it may."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PACKAGES = {
    "edge_runtime": "what is tested",
    "numpy": "pixels and scores are arrays",
    "PIL": "decodes and resizes images",
    "msgspec": "reads the manifest, strictly",
    "typing_extensions": "msgspec and LiteRT import it",
    "ai_edge_litert": "the interpreter",
}
"""Packages from outside the standard library; an interpreter, and nothing that talks or trains."""

STDLIB = {
    "_blake2": "hashlib",
    "_hashlib": "hashlib",
    "_md5": "hashlib",
    "_sha1": "hashlib",
    "_sha2": "hashlib",
    "_sha3": "hashlib",
    "fractions": "Pillow, for the EXIF orientation",
    "hashlib": "no model file is used unless its sha256 is the manifest's",
    "zlib": "Pillow, for PNG",
}
"""Modules of the standard library that the packages above do not load anyway."""

# The first two are loaded by an editable installation, and by the packages themselves up to Python 3.13.
PLAIN = "import importlib.util, pathlib, numpy, msgspec, PIL.Image, PIL.JpegImagePlugin, ai_edge_litert.interpreter"
ANSWER = """
import sys, edge_runtime
with edge_runtime.Classifier.open(sys.argv[1], "tflite-int8") as classifier:
    classifier.classify(sys.argv[2])
"""
COMMAND = """
import sys
from snapship.cli import cli
try:
    cli(["predict", *sys.argv[1:], "--artifact", "tflite-int8"])
except SystemExit as end:
    assert not end.code, end.code
"""
COMMANDS_STDLIB = {"gc": "off while it starts", "glob": "names of photos may be patterns"}
"""Modules of the standard library that ``snapship predict`` loads beyond the runtime and click."""

PIXELS = """
import sys, edge_runtime
edge_runtime.pixels(sys.argv[1], edge_runtime.InputSpec(height=32, width=32))
"""


def modules_after(code: str, *words: str) -> set[str]:
    """What a fresh process has loaded after the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint()\nprint(*sys.modules)", *words],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from PIL import Image

    path = tmp_path_factory.mktemp("photo") / "photo.jpg"
    Image.new("RGB", (64, 48), (200, 30, 90)).save(path)
    return path


@pytest.fixture(scope="module")
def loaded(digits_bundle: Path, photo: Path) -> set[str]:
    """Modules of a fresh process after its first answer, from a JPEG."""
    return modules_after(ANSWER, str(digits_bundle), str(photo))


def test_packages_are_those_of_the_list(loaded: set[str]) -> None:
    # What site loads at the start of every process is not the runtime's doing.
    names = {name.partition(".")[0] for name in loaded - modules_after("")}
    outside = {name for name in names - set(sys.stdlib_module_names) if not name.startswith("_")}
    assert outside == set(PACKAGES)


def test_standard_library_is_what_the_packages_load_and_the_list(loaded: set[str]) -> None:
    names = {name.partition(".")[0] for name in loaded - modules_after(PLAIN)}
    assert "hashlib" in names
    assert names & set(sys.stdlib_module_names) <= set(STDLIB)


def test_predict_loads_its_own_code_click_and_the_list(
    loaded: set[str], digits_bundle: Path, photo: Path
) -> None:
    more = modules_after(COMMAND, str(digits_bundle), str(photo)) - loaded - modules_after("import click")
    own = {name for name in more if name.partition(".")[0] in ("edge_runtime", "snapship")}
    assert {"snapship.cli", "edge_runtime.cli.predict_cli"} <= own
    assert more - own <= set(COMMANDS_STDLIB)


def test_one_answer_loads_no_optional_speed_up(loaded: set[str]) -> None:
    assert not {name for name in loaded if name.startswith(("simplejpeg", "onnxruntime", "tflite_runtime"))}


def test_pixels_of_a_plain_jpeg_load_no_file_format_of_pillow(photo: Path) -> None:
    pytest.importorskip(
        "edge_runtime._native", reason="not compiled here: Pillow loads them to hand its pixels over"
    )
    loaded = modules_after(PIXELS, str(photo))
    assert "PIL.Image" in loaded
    assert not {
        name for name in loaded if name in ("PIL.ImageFile", "logging") or name.endswith("ImagePlugin")
    }

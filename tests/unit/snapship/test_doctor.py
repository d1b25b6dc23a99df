"""``snapship doctor`` says what is missing and how to get it, and loads nothing."""

from __future__ import annotations

import json
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from snapship import doctor
from snapship.cli import cli
from snapship.doctor import checkup
from snapship.extras import Package


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    # The base is installed, since the tests run; the others count as installed too.
    monkeypatch.setattr(Package, "installed", property(lambda self: self.name not in names))


def test_whole_base_is_exit_code_0() -> None:
    shown = CliRunner().invoke(cli, ["doctor"])
    assert shown.exit_code == 0
    for words in ("Python", "cores", "litert (.tflite)", "numpy", "serverless"):
        assert words in shown.output


def test_it_says_whether_the_compiled_part_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    there = find_spec("edge_runtime._native") is not None
    assert checkup().compiled is there
    (tmp_path / "_native.pyi").write_text("")
    for name, found in (("", False), ("_native.abi3.so", True)):
        spec = ModuleSpec("edge_runtime", None, is_package=True)
        assert spec.submodule_search_locations is not None
        spec.submodule_search_locations.append(str(tmp_path))
        monkeypatch.setattr(doctor, "find_spec", lambda name, spec=spec: spec)
        if name:
            (tmp_path / name).write_text("")
        assert doctor._compiled() is found


def test_missing_extra_is_told_with_its_cure_and_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "tf2onnx")
    shown = CliRunner().invoke(cli, ["doctor"])
    assert shown.exit_code == 0
    assert "pip install 'snapship[export]'" in shown.output
    assert "snapship[onnx]" not in shown.output
    row = next(line for line in shown.output.splitlines() if "tf2onnx" in line)
    assert "missing" in row


def test_missing_base_package_is_exit_code_4(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "Pillow")
    shown = CliRunner().invoke(cli, ["doctor", "--json"])
    assert shown.exit_code == 4
    record = json.loads(shown.output)
    assert record["cures"][""] == "pip install snapship"
    assert {"name": "Pillow", "extra": "", "version": None} in record["packages"]


def test_gpu_is_found_through_nvidia_smi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H200, 143771 MiB, 570.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert checkup().gpus == ("NVIDIA H200, 143771 MiB, 570.1",)
    program.write_text("#!/bin/sh\nexit 9\n")
    assert checkup().gpus == ()


def test_cache_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert checkup().cache_writable
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert not checkup().cache_writable
    assert "not writable" in CliRunner().invoke(cli, ["doctor"]).output


def test_newer_python_is_told_where_tensorflow_is_not_built_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.14.2")
    assert checkup().notes() == ()
    without(monkeypatch, "tensorflow")
    (note,) = checkup().notes()
    assert "On Python 3.14 pip takes a release candidate" in note
    assert "use Python 3.13" in note
    assert note in CliRunner().invoke(cli, ["doctor"]).output
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.13.9")
    assert checkup().notes() == ()

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.formats.kinds import DEFAULT_KINDS
from snapship.cli import cli

ROOT = Path(__file__).resolve().parents[2]


def demo(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "snapship", "demo", *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip


def test_demo_does_the_main_job_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = demo("--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["val_top1"] >= 0.97
    assert found["check"]["verdict"] == "pass"
    assert set(found["check"]["artifacts"]) == set(DEFAULT_KINDS)
    assert [entry["label"] for entry in found["predictions"]] == [
        entry["true"] for entry in found["predictions"]
    ]
    # Over what the first left; in this process, which may have loaded TensorFlow.
    monkeypatch.chdir(tmp_path)
    again = CliRunner().invoke(cli, ["demo"])
    assert again.exit_code == 0, again.stderr
    first = again.stdout.splitlines()[0]
    for word in ("minute", "memory", "MB in snapship-demo", "no download"):
        assert word in first
    for word in ("artifact", "size", "top-1", "bound", "agreement", "latency", "verdict", "report.html"):
        assert word in again.stdout
    assert (tmp_path / "snapship-demo" / "digits.bundle" / "report.html").is_file()


def test_demo_leaves_a_foreign_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    done = demo("--out", "mine", cwd=tmp_path)
    assert done.returncode == 2
    assert "thesis.txt" in done.stderr
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]

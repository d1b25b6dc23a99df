"""``action.yml``: its shape, and its scripts run as the runner of GitHub Actions runs them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


def step(name: str) -> dict[str, Any]:
    (found,) = [one for one in ACTION["runs"]["steps"] if one["name"] == name]
    return found


def run(name: str, folder: Path, inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a step: defaults and inputs go into its variables, its script into bash with -eo pipefail."""
    values = {key: str(one.get("default", "")) for key, one in ACTION["inputs"].items()} | inputs
    contexts = {f"inputs.{key}": value for key, value in values.items()}
    contexts["github.action_path"] = str(ROOT)
    environment = {
        key: re.sub(r"\$\{\{ *([\w.-]+) *\}\}", lambda found: contexts[found[1]], value)
        for key, value in step(name)["env"].items()
    }
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    (programs / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (programs / "python").chmod(0o755)
    script = folder / "step.sh"
    script.write_text(step(name)["run"])
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
        cwd=folder, capture_output=True, text=True, timeout=300,
        env=os.environ | environment | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "GITHUB_OUTPUT": str(folder / "output.txt"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
        },
    )  # fmt: skip


def test_action_is_composite_and_pins_what_others_wrote() -> None:
    assert ACTION["runs"]["using"] == "composite"
    for one in ACTION["runs"]["steps"]:
        if "uses" in one:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", one["uses"])
        else:
            assert one["shell"] == "bash"
            # An input inside the script would be run as part of it.
            assert "${{" not in one["run"]
    for one in ACTION["inputs"].values():
        assert one["description"]
        assert one.get("required") or "default" in one


def test_outputs_are_those_that_the_check_writes(tmp_path: Path) -> None:
    named = set(re.findall(r"steps\.check\.outputs\.(\w+)", str(ACTION["outputs"])))
    source = (ROOT / "exporter" / "report" / "github.py").read_text(encoding="utf-8")
    assert named
    assert {name for name in named if f'f"{name}=' in source} == named
    assert step("Check")["id"] == "check"


def test_install_takes_the_actions_own_version(tmp_path: Path) -> None:
    """With a pip that says what it is asked for: the real one would fetch TensorFlow."""
    (tmp_path / "bin").mkdir()
    for inputs, asked in (
        (
            {},
            f"-m pip install --disable-pip-version-check --constraint {ROOT}/constraints.txt {ROOT}[export]",
        ),
        (
            {"install": "snapship[export]==1.0; x"},
            "-m pip install --disable-pip-version-check snapship[export]==1.0; x",
        ),
    ):
        script = step("Install snapship")["run"].replace("python -m", "echo -m")
        values = {"REQUIREMENT": inputs.get("install", ""), "ACTION_PATH": str(ROOT)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=tmp_path, capture_output=True, text=True, timeout=60, env=os.environ | values,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, f"{asked}\n"), done.stderr


@pytest.mark.slow
def test_check_runs_as_in_a_workflow(exported: Path, tmp_path: Path) -> None:
    quick = {"bundle": str(exported), "options": "--quick --agreement 0.9"}
    done = run("Check", tmp_path, quick)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "verdict=pass\n" in (tmp_path / "output.txt").read_text()
    assert "✅ pass" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert (tmp_path / "snapship-report" / "report.html").is_file()
    assert (tmp_path / "snapship-report" / "junit.xml").is_file()

    # A name is a name, whatever shell it holds.
    evil = run("Check", tmp_path, {"bundle": 'x"; touch hacked; echo "$(touch hacked)'})
    assert evil.returncode == 2
    assert "::error title=" in evil.stdout
    assert not (tmp_path / "hacked").exists()

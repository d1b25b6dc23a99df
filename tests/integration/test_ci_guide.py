"""Every snippet of docs/ci.md runs, on a bundle and run of the names that it uses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from trainer import Run

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def place(exported: Path, digits_run: Run, tmp_path: Path) -> Path:
    """A repository with digits.bundle and runs/digits, and snapship on the path."""
    # A bundle knows its run by a relative path.
    folder = tmp_path / exported.parent.name
    shutil.copytree(exported, folder / exported.name)
    shutil.copytree(digits_run.path, tmp_path / digits_run.path.relative_to(exported.parents[1]))
    (folder / "runs").mkdir()
    (folder / "runs" / "digits").symlink_to(tmp_path / digits_run.path.relative_to(exported.parents[1]))
    programs = folder / "bin"
    programs.mkdir()
    for name, line in (("snapship", f'exec "{sys.executable}" -m snapship "$@"'), ("git", "exit 0")):
        (programs / name).write_text(f"#!/bin/sh\n{line}\n")
        (programs / name).chmod(0o755)
    return folder


def run(place: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=place, capture_output=True, text=True, timeout=300,
        env=os.environ | {
            "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        },
    )  # fmt: skip


@pytest.mark.slow
def test_commands_and_tests_of_the_guide_run(place: Path) -> None:
    script = "\n".join(blocks("sh"))
    assert script.count("snapship check") == 3
    done = run(place, "bash", "-euo", "pipefail", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Since the baseline" in done.stdout
    assert {"check.xml", "check.json", "report.html", "baseline.json"} <= {
        one.name for one in place.iterdir()
    }

    (body,) = blocks("python")
    (place / "test_guide.py").write_text(body)
    tested = run(place, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_guide.py")
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.slow
def test_gitlab_and_jenkins_lines_run(place: Path) -> None:
    _, gitlab = (yaml.safe_load(block) for block in blocks("yaml"))
    install, check = gitlab["model"]["script"]
    assert install.startswith("pip install")
    done = run(place, "bash", "-euo", "pipefail", "-c", check)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (place / gitlab["model"]["artifacts"]["reports"]["junit"]).is_file()
    (jenkins,) = re.findall(r"sh '(.*)'", blocks("groovy")[0])
    (file,) = re.findall(r"junit '(.*)'", blocks("groovy")[0])
    (place / file).unlink()
    assert run(place, "bash", "-c", jenkins).returncode == 0
    assert (place / file).is_file()


def test_workflow_of_the_guide_uses_inputs_that_the_action_has() -> None:
    workflow, _ = (yaml.safe_load(block) for block in blocks("yaml"))
    action: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    steps = workflow["jobs"]["model"]["steps"]
    (gate,) = [step for step in steps if step.get("id") == "gate"]
    assert set(gate["with"]) <= set(action["inputs"])
    assert set(re.findall(r"steps\.gate\.outputs\.(\w+)", GUIDE)) <= set(action["outputs"])
    for step in steps:
        if step is not gate:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"])

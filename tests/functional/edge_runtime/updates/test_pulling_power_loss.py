"""``kill -9`` before every single write of a pull or rollback: what is current always works.

Python announces each file that is made, renamed, linked or removed to an audit hook before it
happens; that is where the process dies, so no write can be forgotten.
SIGKILL shows the order of the writes; that they reach the disk in that order is what the
fsync calls are for, and only a real power switch could show it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
MakeBundle = Callable[[str], Path]

pytestmark = pytest.mark.slow

DRIVER = '''
"""Forks a process for each write, which dies before it, and others to look at what it left."""

import itertools, json, os, shutil, signal, sys
from pathlib import Path

import ai_edge_litert.interpreter  # loaded once, so that each process starts quickly
from edge_runtime import Bundle, Classifier, selftest
from edge_runtime.golden import verify_files
from edge_runtime.updates import pull, rollback

start, action, new, work = sys.argv[1:]
home = Path(work) / "home"


WRITES = {"os.rename", "os.symlink", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate"}
seen, die_at = [], 0


def audit(event, words):
    """Counts writes, and dies before one of them."""
    if not die_at:
        return
    if event == "open":
        counts = isinstance(words[2], int) and words[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    elif event in ("os.remove", "os.mkdir") and os.path.isabs(words[0]):
        # Neither removing what is not there nor making what is changes anything.
        counts = os.path.lexists(words[0]) == (event == "os.remove")
    else:
        counts = event in WRITES
    if counts:
        seen.append(" ".join(map(str, (event, *words[:2]))).removesuffix(" -1"))
        if len(seen) == die_at:
            os.kill(os.getpid(), signal.SIGKILL)


def in_process(code):
    """Runs code in a fork; returns what it returns, or the signal that killed it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, json.dumps(code()).encode())
            os._exit(0)
        except BaseException as error:
            os.write(write, json.dumps({"error": repr(error)}).encode())
            os._exit(1)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    status = os.waitpid(child, 0)[1]
    return {"killed": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else json.loads(said)


def until(step):
    """Runs the action and dies before its write of that number."""
    global die_at
    sys.addaudithook(audit)
    die_at = step
    rollback(home) if action == "rollback" else pull(new, home, recheck=True)
    die_at = 0
    return {"finished": seen}


def look():
    """What is current: its name, once it opened, verified, classified and passed its self-test."""
    if not os.path.lexists(home / "current"):
        return {"current": None}
    bundle = Bundle.open(home / "current")
    verify_files(bundle)
    assert selftest(bundle).passed
    with Classifier.open(home / "current") as classifier:
        classifier.classify(home / "current" / "golden" / "0.png")
    return {"current": bundle.manifest.name}


def finish():
    """The action again, or the pull after an interrupted rollback; and what lies there then."""
    done = pull(new, home)
    kept = sorted(entry.name for entry in home.iterdir())
    return {"again": done.status, "kept": kept, "versions": len(os.listdir(home / "versions")),
            "previous": Bundle.open(home / "previous").manifest.name if (home / "previous").exists() else None}


for step in itertools.count(1):
    shutil.rmtree(home, ignore_errors=True)
    if start != "none":
        shutil.copytree(start, home, symlinks=True)
    died = in_process(lambda: until(step))
    record = {"step": step, **died}
    if died.get("killed") == signal.SIGKILL:
        record |= in_process(look) | in_process(finish)
    print(json.dumps(record), flush=True)
    if "killed" not in died:
        break
'''


def kill_everywhere(start: Path | None, action: str, new: Path, work: Path) -> list[dict[str, Any]]:
    """A record for each write; the last one is the run that completed."""
    work.mkdir()
    words = [str(start or "none"), action, str(new), str(work)]
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert "finished" in records[-1], records[-1]
    assert len(records) == len(records[-1]["finished"]) + 1
    for record in records[:-1]:
        assert "error" not in record, record
    return records


def switch_of(steps: list[str]) -> int:
    """The number, from 1, of the write that makes another version current."""
    found = [number for number, step in enumerate(steps, 1) if step.endswith("home/current")]
    assert len(found) == 1, steps
    assert steps[found[0] - 1].startswith("os.rename ")
    return found[0]


def small(bundle: Path) -> Path:
    """Leaves a bundle two golden examples: fewer writes to die before."""
    golden = json.loads((bundle / "golden/golden.json").read_text())
    golden["examples"] = golden["examples"][:2]
    (bundle / "golden/golden.json").write_text(json.dumps(golden))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["golden"]["sha256"] = hashlib.sha256((bundle / "golden/golden.json").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    return bundle


@pytest.fixture
def filled(make_bundle: MakeBundle, tmp_path: Path) -> Path:
    """A folder of versions with a current and a previous one."""
    from edge_runtime.updates import pull

    for name in ("older", "old"):
        pull(str(small(make_bundle(name))), tmp_path / "filled")
    return tmp_path / "filled"


def test_pull_killed_before_any_write_leaves_the_old_or_the_new_version(
    make_bundle: MakeBundle, filled: Path, tmp_path: Path
) -> None:
    records = kill_everywhere(filled, "pull", small(make_bundle("new")), tmp_path / "work")
    steps = records[-1]["finished"]
    assert sum("digits_int8.tflite" in step for step in steps) == 2, "one made, one removed"
    switched = switch_of(steps)
    for record in records[:-1]:
        assert record["current"] == ("old" if record["step"] <= switched else "new"), record
        assert record["again"] == ("installed" if record["current"] == "old" else "unchanged"), record
        assert record["kept"] == [".lock", "current", "previous", "versions"], record
        assert record["versions"] == 4, record
        assert record["previous"] == "old", record


def test_first_pull_killed_before_any_write_leaves_nothing_or_the_new_version(
    make_bundle: MakeBundle, tmp_path: Path
) -> None:
    records = kill_everywhere(None, "pull", small(make_bundle("new")), tmp_path / "work")
    switched = switch_of(records[-1]["finished"])
    for record in records[:-1]:
        assert record["current"] == (None if record["step"] <= switched else "new"), record
        assert record["kept"] == [".lock", "current", "versions"], record
        assert record["versions"] == 2, record


def test_rollback_killed_before_any_write_leaves_one_of_the_two(
    make_bundle: MakeBundle, filled: Path, tmp_path: Path
) -> None:
    records = kill_everywhere(filled, "rollback", small(make_bundle("new")), tmp_path / "work")
    switched = switch_of(records[-1]["finished"])
    for record in records[:-1]:
        assert record["current"] == ("old" if record["step"] <= switched else "older"), record
        assert record["previous"] == record["current"], record
        assert record["versions"] == 4, record

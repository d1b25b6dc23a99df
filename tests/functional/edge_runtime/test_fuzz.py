"""A short run of each coverage-guided fuzz target, from seeds made by code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

FUZZ = Path(__file__).resolve().parents[3] / "fuzz"
SECONDS = 6


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "manifest", "zip"])
def test_fuzz_target_finds_nothing_in_a_short_run(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="needs atheris, which is not installed")
    corpus = tmp_path / "corpus"
    subprocess.run([sys.executable, FUZZ / "corpus.py", kind, corpus], check=True)
    seeds = len(list(corpus.iterdir()))
    done = subprocess.run(
        [
            sys.executable, FUZZ / f"fuzz_{kind}.py", f"-max_total_time={SECONDS}", "-timeout=10", "-seed=1",
            "-rss_limit_mb=0", "-malloc_limit_mb=1000", f"-artifact_prefix={tmp_path}/", corpus,
        ],
        capture_output=True, text=True, timeout=120, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    # It ran, and found inputs that reach more than the seeds do.
    assert "Done " in done.stderr
    assert len(list(corpus.iterdir())) > seeds

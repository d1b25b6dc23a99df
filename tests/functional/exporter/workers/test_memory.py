"""The scores of all images may be larger than the memory that a check may take."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import resource, sys
import numpy as np
import scipy.special
from edge_runtime.bundle.rules import AbstainRule, Rules, SetRule
from exporter.evidence.diagnostics import model_steps
from exporter.evidence.temperature import temperature_report
from exporter.judge.judge_artifacts import parity_report
from exporter.rules.fitting import try_rules
from exporter.source import score_table as tables
from exporter.statistics.comparison import compare
from exporter.workers.team import Team
from exporter.workers.worker import Scored
from edge_runtime.workers.crew import Finished, Machine, Opened

IMAGES, CLASSES, SPARE = 40_000, 600, 130_000_000

class Crew:
    # One worker in this process, whose scores are made up.
    def __init__(self):
        self.event = Opened(0, Machine("", 0))

    def next_event(self):
        return self.event

    def give(self, worker, piece):
        (batch,) = piece.items
        rng = np.random.default_rng([len(batch.step.name), batch.first])
        scores = rng.random((len(batch.pixels), CLASSES), dtype=np.float32) ** 8
        scores[np.arange(len(scores)), truth[batch.first : batch.first + len(scores)]] += 1
        scores /= scores.sum(axis=1, keepdims=True)
        self.event = Finished(worker, piece, Scored(batch.first, scores))

class Candidate:
    name = "small"

truth = np.arange(IMAGES) % CLASSES
pixels = np.zeros((IMAGES, 2, 2, 1), dtype=np.uint8)
compare(*np.eye(4, dtype=np.float32)[None].repeat(2, axis=0), np.arange(4), list("abcd"))
if sys.argv[1] == "hold":
    tables.MOST_BYTES = 1 << 40
with open("/proc/self/status") as file:
    used = next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + SPARE, used + SPARE))
team = Team(Crew(), 1)
full, small = team.full()(pixels), team.artifact(Candidate(), None, CLASSES, threads=1)(pixels)
assert full.nbytes + small.nbytes > 1.2 * SPARE
assert compare(full, small, truth, [str(label) for label in range(CLASSES)]).top1 == 1.0
assert temperature_report(small, truth).ece < 1.0
assert parity_report(full, {"small": small}).agreement[0][1] == 1.0
assert model_steps(full, None, small, is_float=True)[0] == 0
rules = Rules(
    images=1, data_sha256="0" * 64, sets=SetRule(0.9, 0.001), abstain=AbstainRule(0.1, "margin", 0.1, 1, 0),
)
assert try_rules(small, truth, rules).covered == IMAGES
print("done")
"""


def run(how: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's private memory alone")
def test_scores_larger_than_memory_are_collected_and_compared() -> None:
    done = run("stream")
    assert done.stdout == "done\n", done.stderr[-2000:]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a process's private memory alone")
def test_the_limit_is_one() -> None:
    assert "MemoryError" in run("hold").stderr

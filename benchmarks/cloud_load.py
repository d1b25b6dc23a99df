"""`snapship serve` under load: half a minute of two clients that never pause, against the classifier alone.

The client is autocannon, which `make acceptance` installs; it shares the CPU with the server.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.edge_model import ROOT, edge_model, edge_parser, facts
from benchmarks.result import Cell, Column, Figure, Result, command_line, now, write_result
from edge_runtime import Classifier

MODULE = "benchmarks.cloud_load"
DRIVER = Path(__file__).with_suffix(".cjs")
KINDS = ("tflite-int8", "tflite-fp32")

START_SECONDS = 60
SAMPLE_SECONDS = 0.25

WARM_SHARE = 0.3
"""Share of the time after which memory is taken as the start's: workers, pools and allocators are there then."""

METHOD = """`snapship serve` on loopback under autocannon on the same machine. {connections} connections each send the
next of {photos} JPEG photos of 320x240 as soon as they have an answer, for {seconds} seconds per artifact; two
workers classify. *Errors*: broken connections, timeouts, and every answer that is not 200. *RSS*: resident memory of
the server after {warm:.0%} of the time, and the maximum of the last {warm:.0%}. *classify_many/s*: answers of
`Classifier.classify_many` with two workers to the same photos, before and after, without a server. *Server's CPU*:
what the server spent per answer, by what `classify_many` spends: what is above 1 goes to HTTP, JSON and the log; the
client's time is in neither, but in answers/s, as it shares the cores."""


class Load(msgspec.Struct, frozen=True):
    """What the client counted.

    Attributes:
        answers: With status 2xx.
        refusals: Other statuses.
        errors: Broken connections, timeouts included.
        timeouts: Answers that did not come within ten seconds.
        seconds: How long it sent.
        p50_ms: Median time to an answer.
        p99_ms: One in a hundred took longer.
        most_ms: The slowest.
        memory: Resident bytes of the server, sampled on the way.
        cpu_s: CPU time that the server spent meanwhile.
    """

    answers: int
    refusals: int
    errors: int
    timeouts: int
    seconds: float
    p50_ms: float
    p99_ms: float
    most_ms: float
    memory: tuple[int, ...] = ()
    cpu_s: float = 0.0

    @property
    def failed(self) -> int:
        """Everything that was not an answer."""
        return self.refusals + self.errors

    @property
    def memory_before(self) -> int:
        """Resident bytes when the server was warm."""
        return self.memory[int(len(self.memory) * WARM_SHARE)]

    @property
    def memory_after(self) -> int:
        """Most resident bytes of the end."""
        return max(self.memory[-max(1, int(len(self.memory) * WARM_SHARE)) :])


def main(arguments: Sequence[str] | None = None) -> Result:
    """Measures and writes the result.

    Args:
        arguments: Words of the command line; None for those of this process.
    """
    made = edge_parser(MODULE, __doc__ or "")
    made.add_argument("--seconds", type=int, default=30, help="of each artifact (default 30)")
    made.add_argument("--connections", type=int, default=2, help="clients at once (default 2)")
    made.add_argument(
        "--modules",
        type=Path,
        default=modules(),
        help="folder that holds autocannon (default make acceptance's)",
    )
    options = made.parse_args(arguments)
    if shutil.which("node") is None or not (options.modules / "autocannon").is_dir():
        made.error(f"autocannon must be in --modules, and node on the PATH. Received: {options.modules}")
    if options.quick:
        options.seconds = 1
    with tempfile.TemporaryDirectory() as name:
        folder, photos = edge_model(made, options, Path(name))
        machine = facts()
        found, alone = {}, {}
        for kind in KINDS:
            rates = [_alone(folder / "model.bundle", kind, photos, options.seconds / 4)]
            with served(folder / "model.bundle", Path(name), "--artifact", kind) as (url, process):
                found[kind] = load(
                    url, process, photos, modules=options.modules, seconds=options.seconds,
                    connections=options.connections,
                )  # fmt: skip
            rates.append(_alone(folder / "model.bundle", kind, photos, options.seconds / 4))
            alone[kind] = rates
    result = _result(options, machine, command_line(MODULE, arguments), len(photos), found, alone)
    print(f"wrote {write_result(result, options.results)}: {result.rows}", file=sys.stderr)
    return result


def _alone(bundle: Path, kind: str, photos: Sequence[Path], seconds: float) -> tuple[float, float]:
    """Answers a second of two workers without a server, and CPU seconds of an answer."""
    images = [photo.read_bytes() for photo in photos]
    with Classifier.open(bundle, kind) as classifier:
        list(classifier.classify_many(images, workers=2))
        count, start, cpu = 0, time.perf_counter(), time.process_time()
        while (spent := time.perf_counter() - start) < seconds:
            count += sum(1 for _ in classifier.classify_many(islice(cycle(images), 100), workers=2))
        return count / spent, (time.process_time() - cpu) / count


def modules() -> Path:
    """Where ``make acceptance`` puts packages of npm."""
    return Path(sys.prefix) / "acceptance" / "web" / "node_modules"


@contextmanager
def served(bundle: Path, place: Path, *words: str) -> Iterator[tuple[str, int]]:
    """Runs ``snapship serve``; gives its address and its process id.

    Args:
        bundle: What to serve.
        place: An existing folder for its log.
        words: Further options.

    Raises:
        ValueError: It does not start, or does not end well.
    """
    log = place / "serve.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "snapship", "serve", str(bundle), "--port", "0", *words],
            cwd=ROOT, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        end = time.monotonic() + START_SECONDS
        while not (found := re.search(r"at (http://\S+:\d+)", log.read_text("utf-8", "replace"))):
            if process.poll() is not None or time.monotonic() > end:
                raise ValueError(
                    f"The server must start. Received: {log.read_text('utf-8', 'replace')[-1000:]}"
                )
            time.sleep(0.05)
        yield found[1], process.pid
        if process.poll() is not None:
            raise ValueError(f"The server must live. Received: exit code {process.returncode}.")
    finally:
        process.terminate()
        process.wait()


def load(
    url: str,
    process: int,
    images: Sequence[Path],
    *,
    modules: Path,
    seconds: int,
    connections: int,
    content_type: str = "image/jpeg",
) -> Load:
    """Lets clients send images without a pause.

    Args:
        url: Of the server.
        process: Its process id.
        images: What to send, in turn.
        modules: Folder that holds autocannon.
        seconds: How long.
        connections: Clients at once.
        content_type: Of the images.

    Raises:
        ValueError: The client ended with an error.
    """
    memory, stop, cpu = [], threading.Event(), _cpu_s(process)

    def watch() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            memory.append(resident(process))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        words = [modules, f"{url}/classify", seconds, connections, content_type, *images]
        done = subprocess.run(
            ["node", DRIVER, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=seconds + 60,
            check=False,
        )
    finally:
        stop.set()
        watching.join()
    if done.returncode:
        raise ValueError(f"The client must end well. Received: {done.stderr[-1000:]}")
    counted = msgspec.json.decode(done.stdout.splitlines()[-1], type=Load)
    return msgspec.structs.replace(counted, memory=tuple(memory), cpu_s=_cpu_s(process) - cpu)


def resident(process: int) -> int:
    """Resident memory of a process, in bytes.

    Args:
        process: Its id.
    """
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _cpu_s(process: int) -> float:
    """CPU time of a process so far, in seconds."""
    # After the name, which may hold spaces: fields 14 and 15 of proc(5).
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _result(
    options: Any,
    machine: dict[str, str],
    command: str,
    photos: int,
    found: dict[str, Load],
    alone: dict[str, list[tuple[float, float]]],
) -> Result:
    rows: list[tuple[Cell, ...]] = []
    figures: list[Figure] = []
    for kind, one in found.items():
        before, after = one.memory_before / 1e6, one.memory_after / 1e6
        rate, cpu = (sum(values) / len(alone[kind]) for values in zip(*alone[kind], strict=True))
        rows.append(
            (
                kind, one.answers, one.failed, one.answers / one.seconds, one.p50_ms, one.p99_ms, one.most_ms,
                before, after, rate, one.cpu_s / one.answers / cpu,
            )
        )  # fmt: skip
        figures += [
            Figure(f"{kind}: errors", float(one.failed)),
            Figure(f"{kind}: answers a second by classify_many's", one.answers / one.seconds / rate),
            Figure(f"{kind}: RSS at the end by RSS when warm", after / before),
        ]
    return Result(
        name="cloud-load",
        group="cloud-load",
        title="The endpoint under load",
        method=METHOD.format(
            connections=options.connections, photos=photos, seconds=options.seconds, warm=WARM_SHARE
        ),
        command=command,
        created=now(),
        quick=options.quick,
        machine=machine,
        settings={"seconds": options.seconds, "connections": options.connections},
        columns=(
            Column("artifact"), Column("answers", "count"), Column("errors", "count"), Column("answers/s", "rate"),
            Column("p50 ms", "seconds"), Column("p99 ms", "seconds"), Column("slowest ms", "seconds"),
            Column("RSS MB, warm", "seconds"), Column("RSS MB, end", "seconds"),
            Column("classify_many/s", "rate"), Column("server's CPU", "ratio"),
        ),
        rows=tuple(rows),
        figures=tuple(figures),
    )  # fmt: skip


if __name__ == "__main__":
    main()

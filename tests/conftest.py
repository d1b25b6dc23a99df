"""Fixtures that every tier shares."""

from __future__ import annotations

import fcntl
import gc
import hashlib
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from msgspec.structs import replace
from PIL import Image

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.manifest import Artifact, Cascade, GoldenRef, encode_manifest, read_manifest
from edge_runtime.bundle.rules import Rules
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.golden import read_golden

ROOT = Path(__file__).resolve().parent.parent

MOTO_START_SECONDS = 120
LONG_RUN_SECONDS = 300

LONGEST = (
    "tests/integration/test_zoo.py",
    "tests/integration/benchmarks/test_scripts.py",
    "tests/integration/exporter/test_imagenet.py",
    "tests/e2e/phone/",
    "tests/e2e/exporter/",
    "tests/integration/exporter/quantize/",
    "tests/integration/trainer/",
    "tests/integration",
    "tests/e2e",
    "tests/functional/trainer",
    "tests/functional/exporter",
    "tests/functional",
)
"""Where the long tests are, longest first. Begun first, they leave no process alone at the end."""

APART = ("tests/integration/test_zoo.py",)
"""Files whose tests share nothing, so that each may go to another process."""

TOGETHER = (
    "tests/e2e/cluster/",
    "tests/e2e/phone/",
    "tests/e2e/exporter/",
    "tests/e2e/serverless/deploy/",
    "tests/e2e/serverless/events/",
    "tests/e2e/serverless/function/",
    "tests/integration/exporter/quantize/",
)
"""Folders whose files share what one process has started or holds: browsers, servers, a network in memory."""

_T = TypeVar("_T")

# Tests that import ONNX Runtime themselves, and programs that they start, send no telemetry either.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def pytest_configure() -> None:
    # A shell starts its background jobs with SIGINT ignored, and children inherit that: tests send it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The order in which processes take files; within one it stays.
    items.sort(key=lambda item: _rank(item.nodeid))


def pytest_collection_finish() -> None:
    # What is loaded now stays. Each collection, and an export asks for some, would look at all of it.
    gc.freeze()


def _rank(nodeid: str) -> int:
    return next((rank for rank, place in enumerate(LONGEST) if nodeid.startswith(place)), len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file in one process, as ``--dist loadfile`` has it, but for APART and TOGETHER, and in our order."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class LongestFirst(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            if nodeid.startswith(APART):
                return nodeid
            file: str = super()._split_scope(nodeid)
            return next((folder for folder in TOGETHER if nodeid.startswith(folder)), file)

    # xdist would begin with the files of the most tests, which are the fastest ones.
    config.option.loadscopereorder = False
    return LongestFirst(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Says where the time of a long run went: of all processes together, by folder."""
    spent: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folder = "/".join(Path(report.nodeid.partition("::")[0]).parent.parts[:4])
                spent[folder] += report.duration
    total = sum(spent.values())
    if total > LONG_RUN_SECONDS:
        terminalreporter.section("seconds by folder")
        for folder, seconds in spent.most_common(15):
            terminalreporter.write_line(f"{seconds:7.0f} {seconds / total:4.0%} {folder}")


Once = Callable[[str, Callable[[Path], _T]], _T]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once[Any]:
    """Makes something slow once for all test processes: ``once("digits", make)``.

    ``make`` fills a new folder and returns what describes it, such as a path, which must be picklable.
    The other processes wait for it. What is in the folder is read only.
    """
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Its parent is that of all processes.
        base = base.parent
    place = base / "once"
    place.mkdir(exist_ok=True)

    def made(name: str, make: Callable[[Path], Any]) -> Any:
        found = place / f"{name}.pickle"
        with (place / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not found.is_file():
                # Half of one may be there, of a process that failed or skipped.
                shutil.rmtree(place / name, ignore_errors=True)
                (place / name).mkdir()
                found.write_bytes(pickle.dumps(make(place / name)))
        return pickle.loads(found.read_bytes())

    return made


@pytest.fixture(scope="session")
def digits_bundle() -> Path:
    """A tiny real bundle: digits 0 to 9, 16x16 gray. Read only; copy it to change it."""
    return ROOT / "tests" / "data" / "digits.bundle"


@pytest.fixture
def own_digits_bundle(digits_bundle: Path, tmp_path: Path) -> Path:
    """A copy of it to break."""
    copy = tmp_path / "digits.bundle"
    shutil.copytree(digits_bundle, copy)
    return copy


@pytest.fixture
def cascade_bundle(own_digits_bundle: Path) -> Path:
    """A copy of it with a cascade that passes on two of its six golden examples."""
    cascade = Cascade(
        "tflite-cascade", "tflite-int8", "tflite-fp32", margin=0.9, passed_on=0.25, verdict="pass"
    )
    bundle = Bundle.open(own_digits_bundle)
    golden = read_golden(bundle)
    examples = []
    for example in golden.examples:
        first = example.scores[cascade.first]
        best, next_best = sorted(first, reverse=True)[:2]
        settled = first if best - next_best >= cascade.margin else example.scores[cascade.second]
        examples.append(replace(example, scores={**example.scores, cascade.kind: settled}))
    tolerance = {**golden.tolerance, cascade.kind: golden.tolerance[cascade.first]}
    data = encode_json(replace(golden, tolerance=tolerance, examples=tuple(examples)))
    assert bundle.manifest.golden is not None
    file = bundle.manifest.golden.file
    (own_digits_bundle / file).write_bytes(data)
    reference = GoldenRef(file, hashlib.sha256(data).hexdigest())
    manifest = replace(bundle.manifest, cascade=cascade, golden=reference)
    (own_digits_bundle / "manifest.json").write_bytes(encode_manifest(manifest))
    return own_digits_bundle


@pytest.fixture(scope="session")
def put_rules() -> Callable[..., None]:
    """Puts hand-made rules into a bundle folder: ``put_rules(folder, rules, kind="tflite-int8")``.

    Without a kind, every artifact gets them. Each is bound to its model file; bytes in ``parameters`` become
    the file of the known rule; ``changes`` are further fields of the artifacts.
    """

    def put(
        folder: Path, rules: Rules, *, kind: str = "", parameters: bytes | None = None, **changes: Any
    ) -> None:
        manifest = read_manifest((folder / "manifest.json").read_bytes())
        if parameters is not None and rules.known is not None:
            (folder / "rules").mkdir(exist_ok=True)
            (folder / "rules/known.bin").write_bytes(parameters)
            sha256 = hashlib.sha256(parameters).hexdigest()
            known = replace(rules.known, file="rules/known.bin", sha256=sha256)
            rules = replace(rules, known=known)

        def ruled(entry: Artifact) -> Artifact:
            if kind not in ("", entry.kind):
                return entry
            own = rules.model_sha256 or entry.sha256
            bound = replace(rules, model_sha256=own)
            return replace(entry, rules=bound, **changes)

        artifacts = tuple(map(ruled, manifest.artifacts))
        changed = replace(manifest, artifacts=artifacts)
        (folder / "manifest.json").write_bytes(encode_manifest(changed))

    return put


@pytest.fixture(scope="session")
def hundred_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 small photos, 000.png to 119.png, four of which cannot be used. Read only."""
    folder = tmp_path_factory.mktemp("photos")
    draw = np.random.default_rng(0)
    for index in range(120):
        pixels = draw.integers(0, 256, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")
    (folder / "007.png").write_bytes(b"")
    (folder / "050.png").write_bytes((folder / "051.png").read_bytes()[:300])
    (folder / "090.png").write_text("no image")
    (folder / "119.png").write_text("no image either")
    return folder


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photos and weights beside the checkout; the test is skipped where they are not."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("needs the real photos and weights in ../shared, which is not there")
    return folder


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user's settings or caches reaches a test, and no test writes there."""
    for name in [name for name in os.environ if name.startswith(("SNAPSHIP_", "AWS_", "LAMBDA_"))]:
        if name != "SNAPSHIP_HUGE":
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def moto_server(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., AbstractContextManager[str]]:
    """Starts a server that answers as AWS does, of ``make acceptance``; gives its URL, and ends it."""

    @contextmanager
    def started(module: str = "moto.server", **variables: str) -> Iterator[str]:
        folder = Path(sys.prefix) / "acceptance" / "moto"
        if not (folder / ".ready").is_file():
            log = folder / "log.txt"
            lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
            pytest.skip(f"needs moto of make acceptance: {(lines or ['not installed'])[-1]}")
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            port = sock.getsockname()[1]
        # Werkzeug takes its variables for a socket that its parent left it.
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "WERKZEUG"))}
        log = tmp_path_factory.mktemp("moto") / "log.txt"
        with log.open("w") as lines_of:
            process = subprocess.Popen(
                [folder / "bin" / "python", "-m", module, "-H", "127.0.0.1", "-p", str(port)],
                stdout=lines_of, stderr=subprocess.STDOUT, env=kept | variables,
            )  # fmt: skip
        try:
            end = time.monotonic() + MOTO_START_SECONDS
            while True:
                with socket.socket() as sock:
                    if sock.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < end, "moto did not start"
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.kill()
            process.wait()

    return started


@pytest.fixture
def use_aws_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Points boto3 at a server of ``moto_server``, by AWS's own variables alone."""

    def use(url: str) -> None:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            # A test that waits for a server that is gone should not wait long.
            "AWS_MAX_ATTEMPTS": "1",
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)

    return use

"""A package as Lambda unpacks it, and AWS's own runtime client and emulator to run it.

Needs the environment ``lambda`` of ``make acceptance``, a Python of the package's version on
this machine, and once the index, for wheels that are then kept beside that environment.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

from serverless.deploy.config.errors import DownloadError
from serverless.deploy.config.rules import Arch, PythonVersion
from serverless.deploy.package import PackageConfig, WrittenPackage, package
from serverless.deploy.package.interpreters import Interpreter, find_interpreter
from serverless.deploy.package.wheels import Requirement, fetch

Invoke = Callable[[Any], Any]

ROOT = Path(__file__).resolve().parents[4]
PINS = ROOT / "tests" / "e2e" / "serverless" / "lambda-requirements.txt"
PYTHON = cast(PythonVersion, os.environ.get("SNAPSHIP_LAMBDA_PYTHON", "3.12"))
ARCH: Arch = "arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64"
ENVIRONMENT = Path(sys.prefix) / "acceptance" / "lambda"
START_SECONDS = 30

# What -m awslambdaric is to Lambda: the package first, then the client, then Python's own modules.
RUN_CLIENT = """
import sys
sys.path[:0] = sys.argv[2:]
from awslambdaric.__main__ import main
main(["awslambdaric", sys.argv[1]])
"""

# A handler beside the package that can also do what a function may do wrong.
PITFALLS = """
import errno, os, time
from serverless.app import handler as real

def handler(event, context):
    do = event.get("do") if isinstance(event, dict) else None
    if do == "sleep":
        time.sleep(60)
    if do == "exit":
        os._exit(7)
    if do == "answer":
        return "x" * event["bytes"]
    if do == "write":
        try:
            with open(event["path"], "w") as file:
                file.write("x")
        except OSError as error:
            return errno.errorcode[error.errno]
        return "written"
    if do == "modules":
        import sys
        files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
        return {"files": sorted(filter(None, files)), "blas": os.environ.get("OPENBLAS_NUM_THREADS")}
    return real(event, context)
"""


@pytest.fixture(scope="session")
def cache() -> Path:
    """Where the wheels are kept between runs; skips where make acceptance could not fill the place."""
    if not (ENVIRONMENT / ".ready").is_file():
        log = ENVIRONMENT / "log.txt"
        lines = log.read_text(encoding="utf-8").strip().splitlines() if log.is_file() else []
        errors = [line for line in lines if "error" in line.lower()] + lines[-1:] + ["not installed"]
        pytest.skip(f"needs lambda of make acceptance: {errors[0]}")
    return ENVIRONMENT / "wheels"


@pytest.fixture(scope="session")
def interpreter() -> Interpreter:
    found = find_interpreter(PYTHON)
    if found is None:
        pytest.skip(f"needs Python {PYTHON} on this machine")
    return found


@pytest.fixture(scope="session")
def made(
    cache: Path, interpreter: Interpreter, digits_bundle: Path, once: Callable[..., Any]
) -> WrittenPackage:
    """One package for all tests; skips where its wheels are neither kept nor to be had."""

    def make(folder: Path) -> WrittenPackage:
        return package(PackageConfig(digits_bundle, folder / "lambda.zip", ARCH, PYTHON, cache=cache))

    try:
        return cast(WrittenPackage, once("lambda-package", make))
    except DownloadError as error:
        pytest.skip(f"needs wheels: {error}")


@pytest.fixture(scope="session")
def root(made: WrittenPackage, once: Callable[..., Any]) -> Path:
    """The package as Lambda unpacks it. Read only."""

    def make(place: Path) -> Path:
        with zipfile.ZipFile(made.path) as archive:
            archive.extractall(place)
        return place

    return cast(Path, once("lambda-root", make))


@pytest.fixture(scope="session")
def client(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AWS's runtime client for the function's Python, as pinned, and a handler with pitfalls."""
    names = ("awslambdaric", "simplejson", "snapshot-restore-py")
    place = unpacked(names, PINS, cache, tmp_path_factory.mktemp("client"))
    (place / "pitfalls.py").write_text(PITFALLS)
    return place


@pytest.fixture(scope="session")
def sdk(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """boto3, which Lambda's Python has of itself."""
    names = ("boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3")
    return unpacked(names, ROOT / "constraints.txt", cache, tmp_path_factory.mktemp("sdk"))


def unpacked(names: tuple[str, ...], pins: Path, cache: Path, place: Path) -> Path:
    """Puts pinned packages for the function's Python into a folder."""
    versions = dict(re.findall(r"^([\w.-]+)==(\S+)$", pins.read_text(encoding="utf-8"), re.M))
    try:
        wheels = fetch([Requirement(name, versions[name]) for name in names], ARCH, PYTHON, cache)
    except DownloadError as error:
        pytest.skip(f"needs wheels: {error}")
    for wheel in wheels:
        with zipfile.ZipFile(wheel.path) as archive:
            archive.extractall(place)
    return place


@pytest.fixture(scope="session")
def start(
    root: Path, client: Path, interpreter: Interpreter, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Invoke]]:
    """Starts functions of the package and returns how to invoke each; one invocation at a time."""
    machine = "arm64" if ARCH == "arm64" else "x86_64"
    (program,) = ENVIRONMENT.glob(f"lib/*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}")
    place = tmp_path_factory.mktemp("emulator")
    # A copy that may be run; the wheel's is not always executable.
    emulator = Path(shutil.copy(program, place / "rie"))
    emulator.chmod(0o755)
    processes: list[subprocess.Popen[bytes]] = []

    def begin(
        *prefix: str,
        handler: str = "serverless.app.handler",
        beside: tuple[Path, ...] = (),
        log: Path | None = None,
        **variables: str,
    ) -> Invoke:
        door, api = free_port(), free_port()
        # Both, or it listens on all addresses.
        addresses = ["--runtime-interface-emulator-address", f"127.0.0.1:{door}"]
        addresses += ["--runtime-api-address", f"127.0.0.1:{api}"]
        python = [str(interpreter.path), "-I", "-S", "-B", "-c", RUN_CLIENT]
        function = [*python, handler, *map(str, (root, client, *beside))]
        process = subprocess.Popen(
            [*prefix, str(emulator), "--log-level", "error", *addresses, *function],
            cwd=place,
            # Nothing of this environment: no PYTHONPATH, no settings of the user.
            env={
                "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
                "LAMBDA_TASK_ROOT": str(root),
                "AWS_LAMBDA_FUNCTION_TIMEOUT": "30",
                **variables,
            },
            stdout=(log or place / f"{door}.txt").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        processes.append(process)
        url = f"http://127.0.0.1:{door}/2015-03-31/functions/function/invocations"
        end = time.monotonic() + START_SECONDS
        while True:
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", door)) == 0:
                    break
            assert process.poll() is None, "the emulator ended"
            assert time.monotonic() < end, "the emulator did not start"
            time.sleep(0.05)

        def invoke(event: Any) -> Any:
            answer = httpx.post(url, content=json.dumps(event), timeout=60)
            try:
                return answer.json()
            except ValueError:
                return answer.text

        return invoke

    yield begin
    for process in processes:
        # The emulator ends the function's process, which has a group of its own.
        os.killpg(process.pid, signal.SIGTERM)
    for process in processes:
        process.wait(20)


@pytest.fixture(scope="session")
def moto(moto_server: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    """URL of a moto server, which is S3 over real HTTP."""
    with moto_server() as url:
        yield url


@pytest.fixture(scope="session")
def function(start: Callable[..., Invoke]) -> Invoke:
    """A function that is used by several tests."""
    return start(handler="pitfalls.handler")


@pytest.fixture(scope="session")
def images(digits_bundle: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((digits_bundle / "golden").glob("*.png"))]


@pytest.fixture(scope="session")
def works(images: list[bytes]) -> Callable[[Invoke], bool]:
    """Whether a function still classifies, after whatever was done to it."""
    event = {"image": base64.b64encode(images[3]).decode(), "top_k": 1}
    return lambda function: bool(function(event)["label"] == "3")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])

"""What a package does with the function's own Python, if this machine has it: compile and replay.

Compiling spares each cold start the work. It needs the function's minor version, on which bytecode
depends. Compiled modules replace their sources, name the function's folder on Lambda, and hold no time
of a file (``unchecked-hash``).

The golden images are replayed from the packaged files, in an isolated process.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from serverless.deploy.config.errors import SelfCheckError
from serverless.deploy.config.rules import Arch, PythonVersion

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a function."""

_PROBE_SECONDS = 20
_COMPILE_SECONDS = 300
_REPLAY_SECONDS = 300
_PROBE = (
    "import platform, sys; v = sys.version_info; "
    "print(sys.implementation.name, v.releaselevel, f'{v.major}.{v.minor}', platform.python_version())"
)
_SCRIPT = Path(__file__).with_name("replay_script.py")
_PASSED_ON = ("LD_LIBRARY_PATH", "TMPDIR")
_MACHINES = {"amd64": "x86_64", "x86_64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}

# One process, a fixed order and a fixed hash seed, so that the same source gives the same bytes.
_PROGRAM = """
import compileall, pathlib, py_compile, sys
root = pathlib.Path(sys.argv[1])
ok = True
for path in sorted(root.rglob("*.py")):
    file = path.relative_to(root).as_posix()
    if file in sys.argv[3:]:
        continue
    # Documentation of libraries is a fifth of their bytes. The app's own is in its OpenAPI document.
    ok &= bool(compileall.compile_file(
        path, quiet=1, force=True, stripdir=str(root), prependdir=sys.argv[2], legacy=True,
        optimize=0 if file.startswith(("edge_runtime/", "serverless/")) else 2,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    ))
    path.unlink()
sys.exit(not ok)
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python of the function's minor version.

    Attributes:
        path: The program.
        version: Its full version.
    """

    path: Path
    version: str


def find_interpreter(python: PythonVersion) -> Interpreter | None:
    """Looks for a Python: this one, on the PATH, and in pyenv.

    Args:
        python: The minor version.

    Returns:
        The first that starts and is a CPython release of that version; None if there is none.
    """
    for path in _candidates(python):
        version = _version(path, python)
        if version is not None:
            return Interpreter(path, version)
    return None


def runs_here(arch: Arch) -> bool:
    """Whether this machine runs a function's programs.

    Args:
        arch: The function's architecture.
    """
    return sys.platform == "linux" and _MACHINES.get(platform.machine().lower()) == arch


def _candidates(python: PythonVersion) -> Iterator[Path]:
    """Candidate programs; one on the PATH may be a shim that does not start."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" == python:
        # Not a virtual environment's, whose packages are not part of the function.
        yield Path(getattr(sys, "_base_executable", None) or sys.executable)
    name = f"python{python}.exe" if os.name == "nt" else f"python{python}"
    for folder in os.get_exec_path():
        if (path := Path(folder) / name).is_file():
            yield path
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{python}.*/bin/{name}"), reverse=True)


def _version(path: Path, python: PythonVersion) -> str | None:
    try:
        done = _run([str(path), "-I", "-S", "-c", _PROBE], _PROBE_SECONDS)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    words = done.stdout.split()
    # Before a release, bytecode may still change.
    if done.returncode != 0 or words[:3] != ["cpython", "final", python]:
        return None
    return words[3]


def precompile(root: Path, interpreter: Interpreter, but: Sequence[str] = ()) -> dict[str, bytes]:
    """Compiles every module of a folder, and replaces its source: a traceback has lines, without their text.

    Args:
        root: A folder of packages.
        interpreter: A Python of the function's minor version.
        but: Programs, which stay as they are.

    Returns:
        The compiled files, by path inside the folder.

    Raises:
        SelfCheckError: A module does not compile.
    """
    command = [str(interpreter.path), "-S", "-s", "-P", "-B", "-c", _PROGRAM, str(root), TASK_ROOT, *but]
    try:
        # Nothing else from this environment, as Python's settings could change the bytes.
        done = _run(command, _COMPILE_SECONDS, root, {"PYTHONHASHSEED": "0"})
    except subprocess.TimeoutExpired as error:
        raise _compile_failed(f"timeout after {_COMPILE_SECONDS} s", interpreter) from error
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason"]
        raise _compile_failed(lines[-1][:300], interpreter)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.pyc")}


def _compile_failed(reason: str, interpreter: Interpreter) -> SelfCheckError:
    return SelfCheckError(
        f"Every module of a package must compile. Received: {reason} (Python {interpreter.version}). "
        "Use the package versions in snapship's constraints."
    )


def selfcheck(root: Path, interpreter: Interpreter) -> int:
    """Runs a package as Lambda would and compares its answers with those of the export.

    Args:
        root: The package's files.
        interpreter: A Python of the function's version, on a machine of its architecture.

    Returns:
        Number of replayed golden images; 0 if the bundle has none.

    Raises:
        SelfCheckError: The function does not start, or an answer differs.
    """
    # -I and -S: without this environment's settings and packages. -B: without writing bytecode.
    command = [str(interpreter.path), "-I", "-S", "-B", str(_SCRIPT), str(root)]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    try:
        done = _run(command, _REPLAY_SECONDS, root, {**environment, "LC_ALL": "C.UTF-8"})
    except subprocess.TimeoutExpired as error:
        raise _failed(f"no answer after {_REPLAY_SECONDS} s") from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise _failed(f"the process ended with code {done.returncode}: {lines[-1][:300]}") from error
    if "problem" in answer:
        raise _failed(str(answer["problem"])[:500])
    return int(answer["replayed"])


def _run(
    command: list[str], seconds: int, folder: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=env,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=seconds,
        check=False,
    )


def _failed(reason: str) -> SelfCheckError:
    return SelfCheckError(
        f"A package must classify its golden images as at export. Received: {reason}. "
        "Use the package versions in snapship's constraints, or export the bundle again."
    )

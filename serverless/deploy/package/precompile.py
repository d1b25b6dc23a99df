"""Compiles a package's modules, so that a cold start does not have to.

Uses ``unchecked-hash``, as all files of a zip have the same time and nobody edits a function's source
in place. The compiled files contain the function's folder on Lambda.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from serverless.deploy.errors import SelfCheckError
from serverless.deploy.package.interpreters import Interpreter

TASK_ROOT = "/var/task"
"""Where Lambda unpacks a function."""

_SECONDS = 300

# One process, a fixed order and a fixed hash seed, so that the same source gives the same bytes.
_PROGRAM = """
import compileall, pathlib, py_compile, sys
root = sys.argv[1]
ok = True
for path in sorted(pathlib.Path(root).rglob("*.py")):
    ok &= bool(compileall.compile_file(
        path, quiet=1, force=True, stripdir=root, prependdir=sys.argv[2],
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    ))
sys.exit(not ok)
"""


def precompile(root: Path, interpreter: Interpreter) -> dict[str, bytes]:
    """Compiles every module of a folder next to its source.

    Args:
        root: A folder of packages.
        interpreter: A Python of the function's minor version.

    Returns:
        The compiled files, by path inside the folder.

    Raises:
        SelfCheckError: A module does not compile.
    """
    command = [str(interpreter.path), "-S", "-s", "-P", "-B", "-c", _PROGRAM, str(root), TASK_ROOT]
    try:
        done = subprocess.run(
            command,
            # Nothing else from this environment, as Python's settings could change the bytes.
            env={"PYTHONHASHSEED": "0"},
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"timeout after {_SECONDS} s", interpreter) from error
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason"]
        raise _failed(lines[-1][:300], interpreter)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("__pycache__/*.pyc")}


def _failed(reason: str, interpreter: Interpreter) -> SelfCheckError:
    return SelfCheckError(
        f"Every module of a package must compile. Received: {reason} (Python {interpreter.version}). "
        "Use the package versions in snapship's constraints."
    )

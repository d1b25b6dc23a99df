"""Replays the golden images from the packaged files, in an isolated process."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from serverless.deploy.errors import SelfCheckError
from serverless.deploy.package.interpreters import Interpreter

_SCRIPT = Path(__file__).with_name("replay_script.py")
_SECONDS = 300
_PASSED_ON = ("LD_LIBRARY_PATH", "TMPDIR")


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
        done = subprocess.run(
            command,
            env={**environment, "LC_ALL": "C.UTF-8"},
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"no answer after {_SECONDS} s") from error
    try:
        answer = json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        lines = done.stderr.strip().splitlines() or ["no output"]
        raise _failed(f"the process ended with code {done.returncode}: {lines[-1][:300]}") from error
    if "problem" in answer:
        raise _failed(str(answer["problem"])[:500])
    return int(answer["replayed"])


def _failed(reason: str) -> SelfCheckError:
    return SelfCheckError(
        f"A package must classify its golden images as at export. Received: {reason}. "
        "Use the package versions in snapship's constraints, or export the bundle again."
    )

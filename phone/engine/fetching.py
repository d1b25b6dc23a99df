"""The engine's files: from a folder, from the cache, or by the user's npm."""

from __future__ import annotations

import re
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from edge_runtime.common.atomic_folder import folder_replaced
from edge_runtime.common.errors import EnvironmentMissingError, UsageError
from edge_runtime.common.progress import Progress, no_progress
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.common.text import shortened
from edge_runtime.common.user_folder import user_folder
from phone.disk.outputs import write_files
from phone.engine.packages import Contents, read_archives, read_folder
from phone.engine.pinned import BARE_IMPORT, JPEG, LICENSE_OF_JPEG, LITERT, PACKAGES, RELATIVE_IMPORT

NPM_TIMEOUT_S = 300.0
"""For 12 MB; npm itself gives up on one file after a minute and one more try."""

_OFFLINE = (
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "EHOSTUNREACH",
)


def engine_files(folder: Path | None, progress: Progress = no_progress) -> tuple[dict[str, bytes], str]:
    """The engine's files by their path in the app, and the decoder's licences.

    Args:
        folder: Of ``--engine``; None for the cache, and npm where that is empty.
        progress: Told before npm is asked.

    Raises:
        UsageError: The folder lacks a package, or holds another version or other files.
        EnvironmentMissingError: npm is not installed, offline, or delivers other files.
    """
    contents = read_folder(folder) if folder is not None else _cached() or _by_npm(progress)
    files = {
        file.to: contents[pinned.name][file.path] for pinned in PACKAGES for file in pinned.files if file.to
    }
    core = LITERT.files[0].to
    assert files[core].count(BARE_IMPORT) == 1, "the pinned hash is of a file with this import"
    files[core] = files[core].replace(BARE_IMPORT, RELATIVE_IMPORT)
    licenses = "\n\n".join(contents[JPEG.name][path].decode("utf-8").rstrip() for path in LICENSE_OF_JPEG)
    return files, licenses


def cache_folder() -> Path:
    """Where fetched packages are kept, one folder per set of versions."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "phone" / f"{LITERT.version}-{JPEG.version}"


def _cached() -> Contents | None:
    # An empty, damaged or unreadable cache is filled again.
    with suppress(UsageError, OSError):
        return read_folder(cache_folder())
    return None


def _by_npm(progress: Progress) -> Contents:
    npm = shutil.which("npm")
    specs = [pinned.spec for pinned in PACKAGES]
    if npm is None:
        raise EnvironmentMissingError(
            f"The app's engine comes from npm. Received: npm is not installed. Install Node.js, or pass --engine DIR "
            f"with the packages of: npm install --ignore-scripts {' '.join(specs)}"
        )
    progress(f"Fetching {', '.join(specs)} by npm (12 MB, once)", 0, 0)
    with temporary_folder() as folder:
        _pack(npm, specs, folder)
        try:
            contents = read_archives(sorted(folder.glob("*.tgz")), "npm")
        except UsageError as error:
            raise EnvironmentMissingError(str(error)) from error
    # Without a writable cache the next run fetches again.
    with suppress(UsageError, OSError):
        _keep(contents)
    return contents


def _pack(npm: str, specs: list[str], folder: Path) -> None:
    command = [
        npm, "pack", *specs, "--ignore-scripts", "--loglevel", "error",
        "--fetch-retries", "1", "--fetch-retry-mintimeout", "1000", "--fetch-timeout", "60000",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=NPM_TIMEOUT_S
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(f"no answer within {NPM_TIMEOUT_S:g} s") from error
    except OSError as error:
        raise _failed(f"npm does not start ({error.strerror})") from error
    if done.returncode:
        raise _failed(_reason(done.stderr) or f"exit code {done.returncode}")


def _reason(text: str) -> str:
    """What npm's error says, in one line: its code, and whether the network is missing."""
    offline = next((code for code in _OFFLINE if code in text), "")
    if offline:
        return f"the registry cannot be reached ({offline})"
    lines = [re.sub(r"^npm (ERR!|error)", "", line).strip() for line in text.splitlines()]
    said = "; ".join(line for line in lines if line and "complete log" not in line)
    return shortened(said.rstrip("."), 300)


def _failed(reason: str) -> EnvironmentMissingError:
    specs = " ".join(pinned.spec for pinned in PACKAGES)
    return EnvironmentMissingError(
        f"npm must deliver the app's engine. Received: {reason}. Connect to the network once, or pass --engine DIR "
        f"with the packages of: npm install --ignore-scripts {specs}"
    )


def _keep(contents: Contents) -> None:
    """Writes the used files as a folder of packages."""
    place = cache_folder()
    place.parent.mkdir(parents=True, exist_ok=True)
    with folder_replaced(place, "XDG_CACHE_HOME", synced=False) as new:
        for pinned in PACKAGES:
            write_files(new / pinned.name, contents[pinned.name])
            record = f'{{"name": "{pinned.name}", "version": "{pinned.version}"}}\n'
            (new / pinned.name / "package.json").write_text(record, encoding="utf-8")

"""The files of a package, in memory: the own code, the bundle with one artifact, and pruned wheels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

import edge_runtime
import serverless
from edge_runtime.bundle import Bundle
from edge_runtime.errors import UsageError
from edge_runtime.manifest import Artifact, Strict, encode_json
from serverless.deploy.errors import DownloadError
from serverless.deploy.package.bundle_part import bundle_files
from serverless.deploy.package.config import Arch, PythonVersion
from serverless.deploy.package.linkage import fits, orphans
from serverless.deploy.package.prune import kept
from serverless.deploy.package.wheels import Wheel

OWN = "snapship"
"""The part of the own code."""

BUNDLE = "bundle"
"""The part, and the folder, of the bundle; the app looks for a folder of this name."""

RECORD_FILE = "snapship-package.json"

_CLOUD = ("__init__.py", "aws.py", "py.typed", "app/")
"""What of ``serverless`` runs in the cloud; the rest runs on the machine that deploys."""

_NOT_RUN = frozenset({".c", ".h", ".pyi"})
"""What a compiler or a type checker reads."""

_SERVER = "serving/"
"""What of it serves HTTP by itself, in a container."""


class WheelRecord(Strict, frozen=True):
    """A wheel that is inside: its package, version, file and hash."""

    name: str
    version: str
    file: str
    sha256: str


class PackageRecord(Strict, frozen=True):
    """``snapship-package.json``: what a package is made of.

    Attributes:
        snapship: Version that made it.
        arch: The function's processor.
        python: The function's Python.
        precompiled: Version of the interpreter that compiled it, empty where it is not compiled.
        bundle: The bundle's name.
        artifact: The kind that is inside.
        artifact_sha256: Hash of its file.
        wheels: The Python packages, by name.
    """

    snapship: str
    arch: Arch
    python: PythonVersion
    precompiled: str
    bundle: str
    artifact: str
    artifact_sha256: str
    wheels: tuple[WheelRecord, ...]


@dataclass(frozen=True)
class Tree:
    """A package's files.

    Attributes:
        files: Content by path.
        parts: The part that each path belongs to: a Python package, ``snapship`` or ``bundle``.
        versions: Version of each Python package.
    """

    files: dict[str, bytes]
    parts: dict[str, str]
    versions: dict[str, str]

    def with_files(self, files: Mapping[str, bytes], parts: Mapping[str, str]) -> Tree:
        """A tree that has more files.

        Args:
            files: Content by path.
            parts: The part of each.
        """
        return Tree({**self.files, **files}, {**self.parts, **parts}, self.versions)


def build(bundle: Bundle, artifact: Artifact, wheels: Sequence[Wheel], own: Mapping[str, bytes]) -> Tree:
    """Puts the files of a package together.

    Args:
        bundle: An open bundle.
        artifact: The entry to ship.
        wheels: Its Python packages.
        own: Files of the own code, see :func:`own_code`.

    Raises:
        BundleError: A file of the bundle is missing or changed.
        DownloadError: A wheel is damaged.
    """
    files: dict[str, bytes] = {}
    parts: dict[str, str] = {}
    sources: list[tuple[str, dict[str, bytes]]] = [(wheel.name, pruned(wheel)) for wheel in wheels]
    sources += [(OWN, dict(own)), (BUNDLE, bundle_files(bundle, artifact, BUNDLE))]
    for part, found in sources:
        for file, data in found.items():
            if file in files:
                raise DownloadError(
                    f"Every file must come from one package. Received: {file} from {parts[file]} and {part}. "
                    "Use the package versions of snapship's constraints."
                )
            files[file], parts[file] = data, part
    for file in orphans(files):
        del files[file], parts[file]
    versions = {wheel.name: wheel.version for wheel in wheels}
    return Tree(files, parts, versions)


def record(
    bundle: Bundle,
    artifact: Artifact,
    wheels: Sequence[Wheel],
    version: str,
    arch: Arch,
    python: PythonVersion,
    precompiled: str,
) -> bytes:
    """Writes down what a package is made of; no time and no path of this machine.

    Args:
        bundle: The bundle.
        artifact: The entry inside.
        wheels: The Python packages inside.
        version: snapship's own version.
        arch: The function's processor.
        python: The function's Python.
        precompiled: Version of the interpreter that compiled it, or empty.
    """
    return encode_json(
        PackageRecord(
            snapship=version,
            arch=arch,
            python=python,
            precompiled=precompiled,
            bundle=bundle.manifest.name,
            artifact=artifact.kind,
            artifact_sha256=artifact.sha256,
            wheels=tuple(
                WheelRecord(wheel.name, wheel.version, wheel.path.name, wheel.sha256) for wheel in wheels
            ),
        )
    )


def pruned(wheel: Wheel) -> dict[str, bytes]:
    """What of a wheel a function uses, by path.

    Args:
        wheel: A wheel; programs and headers (its folder ``*.data``) are no part of a function.

    Raises:
        DownloadError: It is damaged, or a name in it leaves the package.
    """
    try:
        with zipfile.ZipFile(wheel.path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            outside = [name for name in names if not _is_inside(name)]
            if outside:
                raise DownloadError(
                    f"A wheel's files must lie inside it. Received: {outside[0]!r} in {wheel.path.name}. "
                    "Do not use this package."
                )
            packages = [name for name in names if not name.split("/", 1)[0].endswith(".data")]
            return {name: archive.read(name) for name in kept(wheel.name, packages)}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DownloadError(
            f"A wheel must be readable. Received: {wheel.path.name} ({error}). Empty the cache of packages."
        ) from error


def own_code(version: str, arch: Arch, *, server: bool = False) -> dict[str, bytes]:
    """The runtime and the app, by path, and the version that ``importlib.metadata`` finds.

    The compiled part goes along where this installation's runs on that processor; the function
    gives the same answers without it, a tenth slower.

    Args:
        version: snapship's version.
        arch: The function's processor.
        server: Whether it must also serve HTTP by itself.

    Raises:
        UsageError: The source is not on disk, as in a program made by another packager.
    """
    wanted = (*_CLOUD, _SERVER) if server else _CLOUD
    runtime = _sources(edge_runtime.__file__, "edge_runtime")
    found = {file: data for file, data in runtime if not file.endswith(".so") or fits(data, arch)}
    for file, data in _sources(serverless.__file__, "serverless"):
        if file.removeprefix("serverless/").startswith(wanted):
            found[file] = data
    if "edge_runtime/__init__.py" not in found:
        raise UsageError(
            "A package needs snapship's own source. Received: an installation without it. Install snapship with pip."
        )
    found[f"snapship-{version}.dist-info/METADATA"] = (
        f"Metadata-Version: 2.1\nName: snapship\nVersion: {version}\n".encode()
    )
    return found


def _sources(module: str | None, house: str) -> Iterator[tuple[str, bytes]]:
    root = Path(module or "").parent
    for path in sorted(root.rglob("*")):
        file = path.relative_to(root)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in file.parts)
        if path.is_file() and not hidden and path.suffix not in _NOT_RUN:
            yield f"{house}/{file.as_posix()}", path.read_bytes()


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and "\\" not in name and ":" not in name


def read_record(data: bytes) -> PackageRecord:
    """Reads a package's record.

    Args:
        data: Content of ``snapship-package.json``.

    Raises:
        msgspec.MsgspecError: It is none.
    """
    return msgspec.json.decode(data, type=PackageRecord)

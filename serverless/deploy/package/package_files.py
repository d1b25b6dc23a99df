"""The files of a package, in memory: snapship's code, pruned wheels, and a part of the bundle.

That part is one artifact, or a cascade's two, and the golden images.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

import edge_runtime
import serverless
from edge_runtime.bundle.bundle import Bundle, rule_files
from edge_runtime.bundle.cascade_entry import files_of, reduced_manifest
from edge_runtime.bundle.labels import LABELS_FILE
from edge_runtime.bundle.manifest import MANIFEST_FILE, Artifact, GoldenRef, encode_manifest
from edge_runtime.bundle.strict_json import Strict, encode_json
from edge_runtime.common.errors import UsageError
from edge_runtime.common.versions import own_version
from edge_runtime.golden import GOLDEN_FILE, golden_index, read_golden
from serverless.deploy.config.errors import DownloadError
from serverless.deploy.config.rules import Arch, PythonVersion
from serverless.deploy.package.prune import kept
from serverless.deploy.package.shared_libraries import fits, orphans, stripped
from serverless.deploy.package.wheels import Wheel

OWN = "snapship"
"""Name of the part with snapship's own code."""

BUNDLE = "bundle"
"""Name of the bundle's part and folder; the app looks for a folder of this name."""

_CLOUD = ("__init__.py", "aws.py", "py.typed", "app/")
"""The part of ``serverless`` that runs in the cloud; the rest runs on the machine that deploys."""

_SERVER = "serving/"
"""The part of it that serves HTTP, in a container."""

_NOT_RUN = frozenset({".c", ".h", ".pyi"})
"""Files for compilers and type checkers."""

_ON_DEVICES = (
    "bench.py",
    "cli/",
    "cold_start.py",
    "dataset/",
    "image_inputs.py",
    "output/",
    "phone_report.py",
    "score/",
    "statistics/",
)
"""The part of ``edge_runtime`` that only its commands and an export use."""


class WheelRecord(Strict, frozen=True):
    """A wheel in the package: its name, version, file and hash."""

    name: str
    version: str
    file: str
    sha256: str


class PackageRecord(Strict, frozen=True):
    """``snapship-package.json``: the contents of a package.

    Attributes:
        snapship: snapship's version.
        arch: The function's architecture.
        python: The function's Python version.
        precompiled: Version of the interpreter that compiled it; empty if it is not compiled.
        bundle: The bundle's name.
        artifact: The artifact's kind.
        artifact_sha256: SHA-256 of its file; of a cascade, of both files' hashes and the margin.
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

    def compiled(self, modules: Mapping[str, bytes]) -> Tree:
        """A tree with compiled modules in the place of their sources.

        Args:
            modules: Content of ``a/b.pyc``, for each source ``a/b.py`` to replace.
        """
        sources = {file.removesuffix("c"): file for file in modules}
        files = {file: data for file, data in self.files.items() if file not in sources}
        files |= modules
        parts = {sources.get(file, file): part for file, part in self.parts.items()}
        return Tree(files, parts, self.versions)

    def with_files(self, files: Mapping[str, bytes], parts: Mapping[str, str]) -> Tree:
        """A tree with additional files.

        Args:
            files: Content by path.
            parts: The part of each.
        """
        return Tree({**self.files, **files}, {**self.parts, **parts}, self.versions)


def build(bundle: Bundle, artifact: Artifact, wheels: Sequence[Wheel], own: Mapping[str, bytes]) -> Tree:
    """Assembles the files of a package.

    Args:
        bundle: An open bundle.
        artifact: The artifact to ship.
        wheels: Its Python packages.
        own: snapship's own code, from :func:`own_code`.

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
                    "Use the package versions in snapship's constraints."
                )
            files[file], parts[file] = data, part
    for file in orphans(files):
        del files[file], parts[file]
    files = {file: stripped(data) for file, data in files.items()}
    versions = {wheel.name: wheel.version for wheel in wheels}
    return Tree(files, parts, versions)


def record(
    bundle: Bundle,
    artifact: Artifact,
    wheels: Sequence[Wheel],
    arch: Arch,
    python: PythonVersion,
    precompiled: str,
) -> bytes:
    """Records the contents of a package, without times and paths of this machine.

    Args:
        bundle: The bundle.
        artifact: The artifact.
        wheels: The Python packages.
        arch: The function's architecture.
        python: The function's Python version.
        precompiled: Version of the interpreter that compiled it, or empty.
    """
    return encode_json(
        PackageRecord(
            snapship=own_version(),
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
    """The files of a wheel that a function uses, by path.

    Args:
        wheel: A wheel; its programs and headers (the folder ``*.data``) are left out.

    Raises:
        DownloadError: It is damaged, or contains a path outside the package.
    """
    try:
        with zipfile.ZipFile(wheel.path) as archive:
            names = [info.filename for info in archive.infolist() if not info.is_dir()]
            outside = [name for name in names if not _is_inside(name)]
            if outside:
                raise DownloadError(
                    f"A wheel's files must stay inside its folder. Received: {outside[0]!r} in {wheel.path.name}. "
                    "Do not use this package."
                )
            packages = [name for name in names if not name.split("/", 1)[0].endswith(".data")]
            return {name: archive.read(name) for name in kept(wheel.name, packages)}
    except (OSError, zipfile.BadZipFile, ValueError) as error:
        raise DownloadError(
            f"A wheel must be readable. Received: {wheel.path.name} ({error}). Empty the cache of wheels."
        ) from error


def own_code(version: str, arch: Arch, *, server: bool = False) -> dict[str, bytes]:
    """The runtime and the app, by path, with the version that ``importlib.metadata`` finds.

    The compiled module is included if this installation's runs on that architecture; without it the
    function gives the same answers about 10 % slower.

    Args:
        version: snapship's version.
        arch: The function's architecture.
        server: Whether it must also serve HTTP itself.

    Raises:
        UsageError: The source is not on disk, as in a frozen program.
    """
    wanted = (*_CLOUD, _SERVER) if server else _CLOUD
    runtime = _sources(edge_runtime.__file__, "edge_runtime")
    found = {
        file: data
        for file, data in runtime
        if not file.removeprefix("edge_runtime/").startswith(_ON_DEVICES)
        and (not file.endswith(".so") or fits(data, arch))
    }
    for file, data in _sources(serverless.__file__, "serverless"):
        if file.removeprefix("serverless/").startswith(wanted):
            found[file] = data
    if "edge_runtime/__init__.py" not in found:
        raise UsageError(
            "A package needs snapship's source. Received: an installation without it. Install snapship with pip."
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
        msgspec.MsgspecError: It is not a valid record.
    """
    return msgspec.json.decode(data, type=PackageRecord)


def bundle_files(bundle: Bundle, artifact: Artifact, folder: str) -> dict[str, bytes]:
    """The files of a bundle with a single artifact, or the two of a cascade; every hash is verified or recomputed.

    The report, the check and a signature are left out, as they are about the whole bundle.

    Args:
        bundle: An open bundle.
        artifact: The entry to keep.
        folder: The folder to put it into.

    Returns:
        Content by path.

    Raises:
        BundleError: A file is missing or changed.
    """
    files = {LABELS_FILE: bundle.read(LABELS_FILE)}
    for entry in files_of(artifact):
        model = bundle.model(entry)
        files[entry.file] = model if isinstance(model, bytes) else model.read_bytes()
    golden = None
    if bundle.manifest.golden is not None:
        examples = read_golden(bundle)
        for example in examples.examples:
            files[example.file] = bundle.read(example.file, example.sha256)
        kinds = dict.fromkeys((*(entry.kind for entry in files_of(artifact)), artifact.kind))
        data = golden_index(examples, *kinds)
        files[GOLDEN_FILE] = data
        golden = GoldenRef(GOLDEN_FILE, hashlib.sha256(data).hexdigest())
    manifest = msgspec.structs.replace(reduced_manifest(bundle.manifest, artifact), golden=golden)
    for file, sha256 in rule_files(manifest).items():
        files[file] = bundle.read(file, sha256)
    files[MANIFEST_FILE] = encode_manifest(manifest)
    return {f"{folder}/{file}": data for file, data in files.items()}

"""From a bundle to what AWS Lambda runs.

::

    bundle ──┐
    wheels ──┼─> tree ─> compiled ─> checked ─> zip, or a build context
    source ──┘   pruned  by the      golden
                         target's    images
                         Python      replayed

The output appears only when everything is done. A build context is a Dockerfile with the files of
the zip, for Lambda or any container host.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle, file_sha256
from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.atomic_file import check_file, written_aside
from edge_runtime.common.atomic_folder import check_folder, folder_replaced
from edge_runtime.common.errors import UsageError
from edge_runtime.common.temporary import temporary_folder
from edge_runtime.common.versions import own_version
from edge_runtime.engines.selection import choose
from serverless.app.core.package_record import RECORD_FILE
from serverless.deploy.config.rules import Arch
from serverless.deploy.package import archive, shared_libraries
from serverless.deploy.package.archive import (
    TASK_FOLDER,
    check_context_path,
    check_zip_path,
    part_sizes,
    write_zip,
)
from serverless.deploy.package.config import PackageConfig, WrittenPackage
from serverless.deploy.package.interpreters import (
    Interpreter,
    find_interpreter,
    precompile,
    runs_here,
    selfcheck,
)
from serverless.deploy.package.package_files import OWN, Tree, build, own_code, record
from serverless.deploy.package.wheels import Requirement, Wheel, cache_folder, fetch, missing, requirements

Progress = Callable[[str], None]
"""Called with the name of each step as it starts."""

CONTAINER_FILE = "snapship_container.py"
"""The program that a container host other than Lambda starts."""

_PLATFORMS: dict[Arch, str] = {"x86_64": "linux/amd64", "arm64": "linux/arm64"}
_SCRIPT = Path(__file__).with_name("container_script.py")

_DOCKERFILE = """\
# Made by snapship package --image. Build:  docker build --platform {platform} -t NAME .
# On Lambda:     push it to Amazon ECR and create the function from it ({arch}).
# Anywhere else: docker run --rm -p 8000:8000 --entrypoint python{python} NAME {script}
#                then POST http://127.0.0.1:8000/classify; PORT and SNAPSHIP_* variables set it up.
# hadolint ignore=DL3029 - the files below are for this architecture only
FROM --platform={platform} public.ecr.aws/lambda/python:{python}

# Already pruned, compiled and pinned: nothing is installed here, so the build needs no package index.
COPY {task}/ ${{LAMBDA_TASK_ROOT}}/

# One thread: numpy's linear algebra is not used, and starting its threads takes time.
# No telemetry from ONNX Runtime.
ENV OPENBLAS_NUM_THREADS=1 ORT_DISABLE_TELEMETRY=1 PYTHONUNBUFFERED=1

# An unprivileged user. Lambda ignores this and runs every image as a user of its own.
USER 1000:1000

CMD ["serverless.app.handler"]
"""


@dataclass(frozen=True)
class _Plan:
    """Everything that is decided before anything slow starts."""

    config: PackageConfig
    bundle: Bundle
    artifact: Artifact
    wanted: tuple[Requirement, ...]
    cache: Path
    interpreter: Interpreter | None


@dataclass(frozen=True)
class _Made:
    """A package's files, how many golden images were replayed, and notes for the user."""

    tree: Tree
    checked: int
    notes: tuple[str, ...] = ()


def package(config: PackageConfig, progress: Progress = lambda step: None) -> WrittenPackage:
    """Writes a package: a zip for Lambda, or a Dockerfile and its build context.

    Args:
        config: What to package, and for which function.
        progress: Progress callback.

    Returns:
        The written package.

    Raises:
        BundleError: The bundle is damaged.
        GateFailedError: The artifact failed its check.
        SelfCheckError: The packaged files answer differently than at export; nothing is written.
        LimitError: It exceeds a limit of AWS; nothing is written.
        DownloadError: A wheel is neither in the cache nor available.
        UsageError: There is no such artifact, or the output cannot be written.
    """
    plan = _plan(config)
    if config.image is None:
        assert config.out is not None
        path = Path(config.out)
        with written_aside(path) as file:
            made = _make(plan, progress)
            progress(f"Zipping {len(made.tree.files):,} files")
            packed = write_zip(file, made.tree.files)
        sha256, size = file_sha256(path), path.stat().st_size
    else:
        path, packed, sha256, size = Path(config.image), None, "", 0
        # A thousand small files, which can be made again from the bundle.
        with folder_replaced(path, "--image", synced=False) as aside:
            made = _make(plan, progress)
            progress(f"Writing {len(made.tree.files):,} files")
            _write_files(made.tree, aside / TASK_FOLDER)
            (aside / "Dockerfile").write_text(dockerfile(config), encoding="utf-8")
    upload = archive.upload_note(size)
    return WrittenPackage(
        path=path,
        sha256=sha256,
        bytes=size,
        unzipped_bytes=_total(made.tree),
        sizes=part_sizes(made.tree, packed),
        arch=config.arch,
        python=config.python,
        artifact=plan.artifact.kind,
        checked=made.checked,
        notes=made.notes if upload is None else (*made.notes, upload),
    )


def _make(plan: _Plan, progress: Progress) -> _Made:
    """Does everything except writing the output."""
    config = plan.config
    absent = missing(plan.wanted, config.arch, config.python, plan.cache)
    if absent:
        progress(f"Downloading {len(absent)} packages for Python {config.python} on {config.arch}")
    wheels = fetch(plan.wanted, config.arch, config.python, plan.cache)
    progress(f"Pruning {len(wheels)} packages")
    own = own_code(own_version(), config.arch, server=config.image is not None)
    if config.image is not None:
        own[CONTAINER_FILE] = _SCRIPT.read_bytes()
    tree = build(plan.bundle, plan.artifact, wheels, own)
    shared_libraries.check(tree.files, config.arch)
    # Before the slow steps, and again with the files they add.
    _check_size(tree, config)
    with temporary_folder() as place:
        made = _finished(plan, tree, wheels, place, progress)
    _check_size(made.tree, config)
    return made


def _check_size(tree: Tree, config: PackageConfig) -> None:
    if config.image is None:
        archive.check_unzipped(_total(tree), part_sizes(tree))
    else:
        archive.check_image(_total(tree))


def _total(tree: Tree) -> int:
    return sum(map(len, tree.files.values()))


def _plan(config: PackageConfig) -> _Plan:
    if config.image is not None:
        check_context_path(Path(config.image), config.overwrite)
        check_folder(Path(config.image), "--image")
    else:
        assert config.out is not None
        check_zip_path(Path(config.out), config.overwrite)
        check_file(config.out, "--out")
    bundle = Bundle.open(config.bundle)
    artifact = choose(bundle, config.artifact)
    wanted = requirements(artifact.format, server=config.image is not None)
    interpreter = find_interpreter(config.python)
    return _Plan(config, bundle, artifact, wanted, cache_folder(config.cache), interpreter)


def _finished(plan: _Plan, tree: Tree, wheels: tuple[Wheel, ...], place: Path, progress: Progress) -> _Made:
    """Compiles and replays the files if this machine can; otherwise a note says so."""
    config, interpreter = plan.config, plan.interpreter
    made_by = interpreter.version if interpreter is not None else ""
    entry = record(plan.bundle, plan.artifact, wheels, config.arch, config.python, made_by)
    tree = tree.with_files({RECORD_FILE: entry}, {RECORD_FILE: OWN})
    if interpreter is None:
        program = f"python{config.python}"
        slow = (
            f"Not compiled: {program} was not found on this machine, so each cold start compiles. "
            "Install it, or put it on the PATH, and package again."
        )
        return _Made(tree, 0, (slow, f"Not replayed: {program} was not found on this machine."))
    try:
        _write_files(tree, place)
    except OSError as error:
        raise UsageError(
            f"The temporary folder must have room for {_total(tree) / 1024 / 1024:,.0f} MB. "
            f"Received: {place} ({error.strerror}). Free some space, or set TMPDIR to another folder."
        ) from error
    progress(f"Compiling with Python {interpreter.version}")
    compiled = precompile(place, interpreter, (CONTAINER_FILE,))
    tree = tree.compiled(compiled)
    if not runs_here(config.arch):
        foreign = (
            f"Not replayed: this machine does not run {config.arch} Linux programs. "
            "The compiled files are for that architecture and find their libraries."
        )
        return _Made(tree, 0, (foreign,))
    progress("Replaying the golden images from the packaged files")
    checked = selfcheck(place, interpreter)
    if not checked:
        return _Made(tree, 0, ("Not replayed: the bundle has no golden images. The function starts.",))
    return _Made(tree, checked)


def _write_files(tree: Tree, folder: Path) -> None:
    for file, data in tree.files.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def dockerfile(config: PackageConfig) -> str:
    """The Dockerfile.

    Args:
        config: The architecture and the Python version.
    """
    return _DOCKERFILE.format(
        platform=_PLATFORMS[config.arch],
        arch=config.arch,
        python=config.python,
        task=TASK_FOLDER,
        script=CONTAINER_FILE,
    )

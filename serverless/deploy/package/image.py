"""A Dockerfile and its build context: the files of the zip, for Lambda or any container host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from serverless.deploy.config_rules import Arch
from serverless.deploy.package.config import PackageConfig
from serverless.deploy.package.place import TASK_FOLDER

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


def container_files() -> dict[str, bytes]:
    """Files of the image that are not in the zip, by path."""
    return {CONTAINER_FILE: _SCRIPT.read_bytes()}


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


def write_context(folder: Path, files: Mapping[str, bytes], config: PackageConfig) -> None:
    """Writes a build context.

    Args:
        folder: An empty folder.
        files: Content of the package's files by path.
        config: The architecture and the Python version.
    """
    for file, data in files.items():
        path = folder / TASK_FOLDER / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "Dockerfile").write_text(dockerfile(config), encoding="utf-8")

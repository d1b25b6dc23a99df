from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.atomic_folder import folder_replaced
from edge_runtime.common.errors import UsageError
from serverless.deploy.package import PackageConfig
from serverless.deploy.package.archive import check_context_path, check_zip_path
from serverless.deploy.package.packaging import dockerfile


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "x86"}, "architecture.*x86_64, arm64"),
        ({"python": "3.11"}, r"Python version.*3\.12, 3\.13"),
        ({"out": None}, "neither"),
        ({"image": "context"}, "both"),
        ({"out": "lambda.tar"}, "--out lambda.tar"),
    ],
)
def test_config_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        PackageConfig(**{"bundle": "x.bundle", "out": "lambda.zip", **options})
    assert "\n" not in str(caught.value)


def test_a_zip_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "lambda.zip"
    check_zip_path(out, overwrite=False)
    out.write_bytes(b"mine")
    with pytest.raises(UsageError, match="--overwrite"):
        check_zip_path(out, overwrite=False)
    check_zip_path(out, overwrite=True)
    with pytest.raises(UsageError, match="a folder"):
        check_zip_path(tmp_path, overwrite=True)


def test_a_build_context_replaces_only_another_one(tmp_path: Path) -> None:
    check_context_path(tmp_path / "new", overwrite=False)
    check_context_path(tmp_path, overwrite=False)
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="something else"):
        check_context_path(tmp_path, overwrite=True)
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "snapship-package.json").write_text("{}")
    with pytest.raises(UsageError, match="--overwrite"):
        check_context_path(tmp_path, overwrite=False)
    check_context_path(tmp_path, overwrite=True)


def test_folder_replaced_leaves_the_old_one_when_the_work_fails(tmp_path: Path) -> None:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "old").touch()

    def fail() -> None:
        with folder_replaced(folder) as aside:
            (aside / "new").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["context", "old"]
    with folder_replaced(folder) as aside:
        (aside / "new").touch()
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["context", "new"]


def test_dockerfile_is_for_the_function() -> None:
    text = dockerfile(PackageConfig("x.bundle", None, "arm64", "3.14", image="context"))
    lines = text.splitlines()
    assert "FROM --platform=linux/arm64 public.ecr.aws/lambda/python:3.14" in lines
    assert "COPY task/ ${LAMBDA_TASK_ROOT}/" in lines
    assert 'CMD ["serverless.app.handler"]' in lines
    assert any(line.startswith("USER 1000") for line in lines)
    assert any("OPENBLAS_NUM_THREADS=1 ORT_DISABLE_TELEMETRY=1" in line for line in lines)

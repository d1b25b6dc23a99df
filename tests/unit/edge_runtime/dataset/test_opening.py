"""What DATA may be, and what is said of anything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import FORMS, open_dataset


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("nowhere", None, "must exist. Received: '.*nowhere'"),
        ("mnsit", None, "must exist"),
        ("photo.jpg", b"x", "must be a folder, a .zip or a .csv"),
        ("data.tar.gz", b"x", "must be a folder, a .zip or a .csv"),
    ],
)
def test_anything_else_is_refused_with_the_forms(
    tmp_path: Path, name: str, content: bytes | None, words: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(tmp_path / name)
    assert FORMS in str(caught.value)
    assert "\n" not in str(caught.value)


def test_empty_name_is_refused() -> None:
    with pytest.raises(DataError, match="an empty text"):
        open_dataset("")


def test_name_too_long_for_a_path_is_refused() -> None:
    with pytest.raises(DataError, match="Received:"):
        open_dataset("x" * 5000)


def test_source_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        (tmp_path / "photos" / name / "1.png").write_bytes(b"\x89PNG" + name.encode())
    monkeypatch.chdir(tmp_path)
    assert open_dataset("photos").source == str(tmp_path / "photos")

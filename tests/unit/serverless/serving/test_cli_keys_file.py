"""``snapship serve --api-keys FILE``."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_runtime.common.errors import UsageError
from serverless.app.core.keys import new_key
from serverless.serving.cli import MAX_KEYS_BYTES, keys_in


def test_entries_and_comments(tmp_path: Path) -> None:
    (phone, first), (web, second) = new_key("phone"), new_key("web")
    file = tmp_path / "keys.txt"
    file.write_text(f"# the app\n{first}\n\n  # the page\n{second}\n")
    keys = keys_in(file).keys
    assert keys.names == ("phone", "web")
    assert keys.check(phone) == "phone"
    assert keys.check(web) == "web"
    assert keys.check(phone + "x") is None


@pytest.mark.parametrize("content", [b"", b"# nobody\n", b"secret", b"\xff\xfe", b"a" * (MAX_KEYS_BYTES + 1)])
def test_a_file_that_holds_no_keys(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys.txt"
    file.write_bytes(content)
    with pytest.raises(UsageError, match=r"Received: ") as caught:
        keys_in(file)
    assert "keys.txt" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--api-keys must be a readable .*gone\.txt"):
        keys_in(tmp_path / "gone.txt")

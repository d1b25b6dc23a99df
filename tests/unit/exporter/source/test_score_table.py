"""Room for scores: on the disk where it is much, and an error where there is none."""

from __future__ import annotations

import errno
import mmap
import os
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from exporter.source.score_table import MOST_BYTES, score_table


def owner(table: Any) -> Any:
    while isinstance(table, np.ndarray):
        table = table.base
    return table


@pytest.mark.parametrize(("count", "on_disk"), [(MOST_BYTES // 40, False), (MOST_BYTES // 40 + 1, True)])
def test_only_a_large_table_is_on_the_disk(count: int, on_disk: bool) -> None:
    table = score_table(count, 10)
    assert (table.shape, table.dtype, type(table)) == ((count, 10), np.float32, np.ndarray)
    assert isinstance(owner(table), mmap.mmap) == on_disk
    table[-1] = 0.25
    assert table[-1].tolist() == [0.25] * 10


def test_full_disk_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UsageError, match=r"Received: 40 MB in .*No space left.* set TMPDIR") as caught:
        score_table(1_000_000, 10)
    assert "\n" not in str(caught.value)

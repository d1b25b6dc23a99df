"""Artifacts that see images side by side."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from edge_runtime.common.errors import ModelFileError
from exporter.sequential.one_by_one import _advance


def test_where_one_artifact_fails_the_others_end_with_the_image_at_hand() -> None:
    images, seen = 1000, list[int]()

    class Fails:
        decided = False

        def see(self, *_: Any) -> None:
            raise ModelFileError("refused")

    class Goes:
        decided = False

        def see(self, *_: Any) -> None:
            seen.append(len(seen))
            time.sleep(0.01)

    table = cast(Any, SimpleNamespace(truth=np.zeros(images, int), pixels=np.zeros((images, 1))))
    with ThreadPoolExecutor(2) as pool, pytest.raises(ModelFileError, match="refused"):
        _advance(cast(Any, [Fails(), Goes()]), np.zeros((images, 2), np.float32), table, 0, pool)
    assert len(seen) < images

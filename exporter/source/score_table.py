"""Room for the scores of all images: large tables are in a file without a name, so that memory does not grow with them.

All scores are kept, and not only who is right: the temperature goes through them 26 times, rules and the page read them
image by image.
"""

from __future__ import annotations

import tempfile

import numpy as np

from edge_runtime.common.atomic_file import reserve
from edge_runtime.common.errors import UsageError, reason_of
from edge_runtime.engines.result import Float32Array

MOST_BYTES = 16_000_000
"""A smaller table is in memory."""


def score_table(count: int, width: int) -> Float32Array:
    """A new table, to be filled.

    Args:
        count: Images.
        width: Scores of each.

    Returns:
        float32 ``[count, width]``. Its file is in the temporary folder and ends with the table, or with the process.

    Raises:
        UsageError: The temporary folder has no room for it.
    """
    size = 4 * count * width
    if size <= MOST_BYTES:
        return np.empty((count, width), dtype=np.float32)
    try:
        with tempfile.TemporaryFile() as file:
            reserve(file.fileno(), size)
            return np.asarray(np.memmap(file, np.float32, "r+", shape=(count, width)))
    except OSError as error:
        raise UsageError(
            f"Scores need room for temporary files. Received: {size / 1e6:,.0f} MB in {tempfile.gettempdir()} "
            f"({reason_of(error)}). Free some space, or set TMPDIR to another folder."
        ) from error

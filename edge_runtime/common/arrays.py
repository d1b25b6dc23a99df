"""Names for the types of NumPy arrays."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

BoolArray: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
IntArray: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]
Float64Array: TypeAlias = np.ndarray[Any, np.dtype[np.float64]]

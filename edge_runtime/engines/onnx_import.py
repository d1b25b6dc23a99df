"""ONNX Runtime, imported without its telemetry.

Every import of it, or of one of its submodules, follows a call of :func:`disable_telemetry` in the
same function; ``tests/test_architecture.py`` checks that.

On Linux the wheels of ONNX Runtime write an identifier of the device and a database of events to
``~/.cache/Microsoft/DeveloperTools/.onnxruntime`` and upload them, from version 1.29 on
(microsoft/onnxruntime pull request 27379; seen in 1.31.1). They do so as soon as the package is
imported, so its function ``disable_telemetry_events()`` comes too late. The environment
variable ``ORT_DISABLE_TELEMETRY`` does not, provided that it is set before the import.
"""

from __future__ import annotations

import os
from typing import Any

TELEMETRY_SWITCH = "ORT_DISABLE_TELEMETRY"
"""ONNX Runtime's variable: 1 turns its telemetry off, 0 leaves it on."""


def disable_telemetry() -> None:
    """Turns ONNX Runtime's telemetry off for this process and those that it starts.

    Without effect where the user has set :data:`TELEMETRY_SWITCH`, to whatever value, or where
    other code of this process has imported onnxruntime already.
    """
    os.environ.setdefault(TELEMETRY_SWITCH, "1")


def load_onnxruntime() -> Any:
    """Imports ONNX Runtime with its telemetry off.

    Returns:
        The package ``onnxruntime``.

    Raises:
        ImportError: It is not installed.
    """
    disable_telemetry()
    import onnxruntime

    return onnxruntime

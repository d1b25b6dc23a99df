"""Environment variables that TensorFlow reads when it is imported, the same for training, export and check.

A full model's scores depend on them in their last bits, so they must not depend on which command, or
which of our modules, imports TensorFlow first.
"""

from __future__ import annotations

import os
import platform

ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def prepare_tensorflow() -> None:
    """Sets what the user has not set; call it before TensorFlow is imported."""
    # 3 logs only fatal errors; failures still raise exceptions.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if platform.machine().lower() in ("x86_64", "amd64"):
        # TensorFlow uses oneDNN by itself only on CPUs with VNNI or AMX; with AVX2 alone it is as much faster.
        os.environ.setdefault(ONEDNN, "1")


def onednn_is_off() -> bool:
    """Whether the user has switched oneDNN off."""
    return os.environ.get(ONEDNN, "").lower() in ("0", "false")

"""A step in a process of its own: Keras runs on one backend per process, and export needs TensorFlow's."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

_VARIABLE, _BACKEND = "KERAS_BACKEND", "tensorflow"


def on_tensorflow(work: Callable[..., None], *arguments: object) -> None:
    """Calls something here, or in a new process where this one runs Keras on another backend.

    Args:
        work: What to call; it and its arguments can be pickled.
        arguments: Its arguments.

    Raises:
        SnapshipError: As it raises.
    """
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() == _BACKEND:
        _call(work, *arguments)
        return
    # Not forked: the new process must know nothing of this one's backend.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_call, work, *arguments).result()


def _call(work: Callable[..., None], *arguments: object) -> None:
    # Before TensorFlow is imported, which imports Keras: KERAS_BACKEND was meant for training.
    if os.environ.get(_VARIABLE, _BACKEND) != _BACKEND:
        os.environ[_VARIABLE] = _BACKEND
    work(*arguments)

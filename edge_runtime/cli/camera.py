"""Frames of a camera or a video file, through OpenCV."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge_runtime.common.errors import DataError, EnvironmentMissingError, UsageError
from edge_runtime.common.native_output import quiet
from edge_runtime.image.preprocess import UInt8Array
from edge_runtime.image_inputs import is_url

_MOST_DIGITS = 9
"""OpenCV takes the number as 32 bits."""


class Camera:
    """A camera by its number, or a video file by its path."""

    def __init__(self, source: str) -> None:
        """Opens the camera or file.

        Args:
            source: A camera number, ``0`` for the first; anything else is the path of a video file.

        Raises:
            EnvironmentMissingError: OpenCV is not installed, or the camera does not exist.
            DataError: The video file cannot be opened.
            UsageError: The source is a URL or not a camera number.
        """
        if is_url(source):
            raise UsageError(
                f"A camera must be a number or a video file. Received: {source}. Pass --camera 0."
            )
        if source.isdecimal() and len(source) > _MOST_DIGITS:
            raise UsageError(
                f"A camera's number must have at most {_MOST_DIGITS} digits. Received: {source}. Pass --camera 0."
            )
        try:
            import cv2
        except ImportError as error:
            raise EnvironmentMissingError.of_extra("--camera", "opencv-python-headless", "camera") from error
        self.source = source
        self.is_live = source.isdecimal()
        self._cv2: Any = cv2
        if not self.is_live and not Path(source).is_file():
            raise DataError(
                f"A video file must exist. Received: {source}. Pass a camera number, for example 0."
            )
        with quiet():
            self._capture: Any = cv2.VideoCapture(int(source) if self.is_live else source)
        if not self._capture.isOpened():
            self._capture.release()
            raise self._unusable("it does not open")
        if self.is_live:
            # The newest frame rather than one from a second ago, where the driver supports it.
            self._capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)

    def frames(self, every_s: float) -> Iterator[tuple[int, UInt8Array]]:
        """Yields frames as they arrive, until the video file ends.

        Args:
            every_s: Seconds between frames: real time for a camera, video time for a file; 0 for every
                frame.

        Yields:
            The frame's number from 0, and uint8 RGB ``[height, width, 3]``.

        Raises:
            EnvironmentMissingError: The camera stopped answering.
            DataError: The video file has no frame.
        """
        rate = self._capture.get(self._cv2.CAP_PROP_FPS)
        rate = rate if math.isfinite(rate) and rate > 0 else 30.0
        number, due = 0, -math.inf
        while self._capture.grab():
            moment = time.monotonic() if self.is_live else number / rate
            if moment >= due:
                good, frame = self._capture.retrieve()
                if not good:
                    break
                due = moment + every_s
                # OpenCV's order is blue, green, red.
                yield number, frame[:, :, ::-1]
            number += 1
        if self.is_live:
            raise self._unusable(f"no more frames after {number}")
        if number == 0:
            raise self._unusable("it has no frame")

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *error: object) -> None:
        self._capture.release()

    def _unusable(self, reason: str) -> EnvironmentMissingError | DataError:
        if self.is_live:
            return EnvironmentMissingError(
                f"A camera must be connected and free. Received: camera {self.source}, {reason}. "
                "Check the plug, other programs, and access to /dev/video*."
            )
        return DataError(
            f"A video file must be one that OpenCV reads. Received: {self.source}, {reason}. Convert it."
        )

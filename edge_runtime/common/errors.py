"""All errors of snapship, with their exit codes and HTTP statuses.

::

    SnapshipError                 exit 2, HTTP 400
    ├── UsageError                exit 2, HTTP 400   a wrong option or argument
    │   └── UnknownNameError      exit 2, HTTP 400   a name that is not in a list
    ├── DataError                 exit 2, HTTP 400   a folder, CSV or archive of images
    ├── ImageError                exit 2, HTTP 400   one image
    │   ├── ImageFormatError      exit 2, HTTP 415   not an allowed format
    │   └── ImageTooLargeError    exit 2, HTTP 413   over a limit
    ├── BundleError               exit 2, HTTP 500   manifest, labels or a bundle's files
    │   └── ModelFileError        exit 2, HTTP 500   a model file that does not load
    ├── RunError                  exit 2, HTTP 500   a run folder
    ├── GateFailedError           exit 1, HTTP 500   an artifact failed the gate
    ├── LeakError                 exit 1, HTTP 500   val images that are in train too
    ├── InconclusiveError         exit 3, HTTP 500   the gate could not decide
    └── EnvironmentMissingError   exit 4, HTTP 503   a missing extra, no credentials

A message states the rule, the received value and the cure, in one line. Received values are
quoted through :mod:`edge_runtime.common.text`, and the whole message is bounded in length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from edge_runtime.common.text import MAX_MESSAGE, bounded, cut, quoted

# Compiled at use, as errors are rare and a start is not.
_COLOUR = r"\x1b\[[0-9;]*m"
_KERAS_PREFIX = "Exception encountered when calling"


class SnapshipError(Exception):
    """Root of all errors that snapship raises on purpose."""

    exit_code = 2
    http_status = 400

    def __init__(self, message: str = "") -> None:
        super().__init__(bounded(message))


class UsageError(SnapshipError):
    """An invalid option or argument."""


class UnknownNameError(UsageError):
    """An unknown name."""

    @classmethod
    def of(cls, kind: str, received: str, known: Iterable[str]) -> UnknownNameError:
        """Builds the message that lists the known names.

        Args:
            kind: What is named, such as ``"model"``.
            received: The given name.
            known: The known names.
        """
        names = cut(", ".join(known), MAX_MESSAGE // 2)
        return cls(f"The {kind} must be a known name. Received: {quoted(received)}. Use one of: {names}.")


class DataError(SnapshipError):
    """Images or labels on disk that cannot be used as given."""


class ImageError(SnapshipError):
    """An image that cannot be decoded."""


class ImageFormatError(ImageError):
    """An image in an unsupported format."""

    http_status = 415


class ImageTooLargeError(ImageError):
    """An image over the limit of bytes or pixels."""

    http_status = 413


class BundleError(SnapshipError):
    """A bundle with an invalid manifest, labels or files."""

    http_status = 500


class ModelFileError(BundleError):
    """A model file that its interpreter rejects."""


class RunError(SnapshipError):
    """A run folder that is missing or damaged."""

    http_status = 500


class GateFailedError(SnapshipError):
    """An artifact that is worse than the full model by more than the margin."""

    exit_code = 1
    http_status = 500


class LeakError(SnapshipError):
    """Validation images that also occur in the training set."""

    exit_code = 1
    http_status = 500


class InconclusiveError(SnapshipError):
    """The gate cannot decide: too few images, or results that depend on the CPU."""

    exit_code = 3
    http_status = 500


class EnvironmentMissingError(SnapshipError):
    """Something in the environment is missing: an extra, credentials, a program."""

    exit_code = 4
    http_status = 503

    @classmethod
    def of_extra(cls, need: str, package: str, extra: str) -> EnvironmentMissingError:
        """Builds the message that names the pip command.

        Args:
            need: What the user wanted to do.
            package: The Python package that is not installed.
            extra: The extra of snapship that brings it, empty for the base install.
        """
        target = f"snapship[{extra}]" if extra else "snapship"
        return cls(
            f"{need} needs the package {package}. Received: it is not installed. Run: pip install '{target}'"
        )


def reason_of(error: BaseException) -> str:
    """Why the system refused a file, for a message that names the file itself."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def first_line(error: BaseException, limit: int = 200) -> str:
    """The first line of another library's error that says something, for a message of one line.

    Args:
        error: The error.
        limit: Most characters to keep.
    """
    text = re.sub(_COLOUR, "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [type(error).__name__]
    # Keras names the layer first, and then says what is wrong in it.
    return " ".join(lines[:2] if lines[0].startswith(_KERAS_PREFIX) else lines[:1])[:limit]

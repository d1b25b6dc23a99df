"""Room on a disk that is taken before it is filled, so that a full disk is said at once."""

from __future__ import annotations

import errno
import os


def reserve(file: int, size: int) -> None:
    """Gives an empty file its full size. Of a mapped file, a full disk would otherwise end the process.

    Args:
        file: Its descriptor, open for writing.
        size: In bytes, at least 1.

    Raises:
        OSError: The disk has no room for it.
    """
    os.truncate(file, size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file, 0, size)
        except OSError as error:
            # Some file systems cannot, and some C libraries do not write zeros then.
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise

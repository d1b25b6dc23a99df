"""The data checks before training, on the pixels that are decoded anyway."""

from __future__ import annotations

from edge_runtime.dataset import ImageSet
from trainer.cache import Pixels
from trainer.care.check import check_data
from trainer.progress import Event, Progress, silent


def data_warnings(images: ImageSet, pixels: Pixels, progress: Progress = silent) -> tuple[str, ...]:
    """Checks the data quickly before training starts.

    Reads the decoded pixels once, and the headers of a few files.

    Args:
        images: The data set as opened.
        pixels: Its decoded images at the model's input size.
        progress: Progress callback.

    Returns:
        One line per error and warning, the worst first, for example ``3 of 400 val images are
        also in train (a leak), ...``. Empty if there are none.
    """
    progress(Event("checks", 0, 0, "checking the data"))
    size = min(pixels.array.shape[1:3])
    report = check_data(images, pixels, input_size=size, quick=True)
    return tuple(finding.message for finding in report.findings if finding.level != "note")

"""What to say before training: the findings as lines, from the pixels that are decoded anyway."""

from __future__ import annotations

from edge_runtime.dataset import ImageSet
from trainer.cache import Pixels
from trainer.care.check import check_data
from trainer.progress import Event, Progress, silent


def care_before_training(images: ImageSet, pixels: Pixels, progress: Progress = silent) -> tuple[str, ...]:
    """Looks the data over before a training that is about to start.

    A quick look: it reads the decoded pixels once and the headers of a few files.

    Args:
        images: The set as it was opened.
        pixels: Its decoded images at the model's input size.
        progress: Told when it starts.

    Returns:
        One line for each error and warning, the worst first, such as ``3 of 400 val images are
        also in train (a leak), ...``. Empty when all is well.
    """
    progress(Event("care", 0, 0, "looking the data over"))
    size = min(pixels.array.shape[1:3])
    report = check_data(images, pixels, input_size=size, quick=True)
    return tuple(finding.message for finding in report.findings if finding.level != "note")

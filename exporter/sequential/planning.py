"""Whether a sequential check may stop early, and what it records of itself."""

from __future__ import annotations

from edge_runtime.dataset import ImageSet
from exporter.config.check_config import CheckConfig
from exporter.judge.sequential_record import SequentialRun
from exporter.source.images import set_sha256


def sequential_run(
    images: ImageSet, config: CheckConfig, *, page: bool, baseline: bool, open_order: bool
) -> SequentialRun:
    """Plans a sequential check.

    A share of all images, a class, a comparison image by image and a page with every class need all images. So
    does finding the order of the classes, on which it depends what is lost and won.

    Args:
        images: All images on hand.
        config: The check.
        page: Whether an HTML page is made.
        baseline: Whether it is compared with a baseline.
        open_order: Whether the order of the classes must be found.
    """
    asking = {
        "--agreement": config.agreement is not None,
        "--worst-class": config.worst_class is not None,
        "--baseline": baseline,
        "--report": page,
        "the order of the classes": open_order,
    }
    return SequentialRun(
        seed=config.seed or 0,
        images=len(images),
        data_sha256=set_sha256(images),
        whole=tuple(option for option, asked in asking.items() if asked),
    )

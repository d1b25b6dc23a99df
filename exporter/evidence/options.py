"""Which diagnostics a check runs in addition to the verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DiagnosticOptions:
    """Which of the slow diagnostics to run, and on how many images; the cheap ones always run.

    Attributes:
        attribution: Run files on other kernels, and images through other preprocessing.
        engines: Compare engines and thread counts.
        layers: Compare quantized files with their float file, tensor by tensor.
        attribution_images: Maximum number of images for attribution.
        engine_images: Maximum number of images for engines and threads.
        layer_images: Maximum number of images for tensors.
        seconds: Approximate time limit per measurement and file; only slow files are run on fewer
            images, so that repeated checks of an ordinary file agree.
    """

    attribution: bool = True
    engines: bool = True
    layers: bool = True
    attribution_images: int = 48
    engine_images: int = 16
    layer_images: int = 12
    seconds: float = 5.0

    @classmethod
    def quick(cls) -> DiagnosticOptions:
        """Without the slow diagnostics."""
        return cls(attribution=False, engines=False, layers=False)

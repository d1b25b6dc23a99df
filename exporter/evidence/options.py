"""How much evidence a check gathers beside the verdict."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DiagnosticOptions:
    """Which of the slow measures to take, and on how many images; the cheap ones are always taken.

    Attributes:
        attribution: Run files on other kernels, and images through other preprocessing.
        engines: Compare engines and thread counts.
        layers: Compare quantized files with their float file tensor by tensor.
        attribution_images: At most so many images for attribution.
        engine_images: At most so many for engines and threads.
        layer_images: At most so many for tensors.
        seconds: About the longest that one measure of one file may take; only a slow file is
            run on fewer images, so that two checks of a usual one say the same.
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
        """Leaves the slow measures out."""
        return cls(attribution=False, engines=False, layers=False)

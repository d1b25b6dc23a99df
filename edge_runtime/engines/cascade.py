"""Two engines that answer as one: the second sees only the images on which the first is not sure.

::

    image -> first -> best score - second best >= threshold -> the first's scores
                                               <  threshold -> second -> its scores
"""

from __future__ import annotations

from edge_runtime.engines.base import Engine
from edge_runtime.engines.result import Float32Array, rank
from edge_runtime.image.preprocess import UInt8Array


class CascadeEngine:
    """An :class:`~edge_runtime.engines.base.Engine` over two engines of the same classes and image size.

    Attributes:
        name: The first's.
        input: The first's; both take the same pixels.
        output: The first's.
        outputs: The extra outputs of the first.
        margin: An image is passed on if the first's best score minus its second best is below this.
        seen: Images scored so far.
        passed_on: How many of them were passed on.
    """

    def __init__(self, first: Engine, second: Engine, margin: float) -> None:
        """Takes over both engines.

        Args:
            first: Sees every image.
            second: Sees what is passed on.
            margin: The threshold, 0..1: at 0 nothing is passed on.
        """
        self.name, self.input, self.output, self.outputs = (
            first.name,
            first.input,
            first.output,
            first.outputs,
        )
        self.margin = margin
        self.seen = self.passed_on = 0
        self._first, self._second = first, second
        # Two names are enough to rank two scores.
        self._places = ("",) * int(self.output.shape[-1])

    def run(self, pixels: UInt8Array) -> Float32Array:
        """Scores one image; see :class:`~edge_runtime.engines.base.Engine`.

        Raises:
            ModelFileError: The first's scores are not finite, or an interpreter refuses the image.
        """
        return self._settled(self._first.run(pixels), pixels)

    def run_with(self, pixels: UInt8Array, output: str) -> tuple[Float32Array, Float32Array]:
        """Scores one image, and returns an extra output of the first, which sees every image.

        Args:
            pixels: uint8 ``[height, width, channels]``.
            output: The name of the extra output.

        Returns:
            float32 ``[classes]`` and float32 ``[size]``.

        Raises:
            ModelFileError: The first has no such output, or as :meth:`run`.
        """
        scores, extra = self._first.run_with(pixels, output)
        return self._settled(scores, pixels), extra

    def close(self) -> None:
        """Releases both."""
        self._first.close()
        self._second.close()

    def _settled(self, scores: Float32Array, pixels: UInt8Array) -> Float32Array:
        self.seen += 1
        # The margin that a Result shows.
        if rank(scores, self._places, 1).margin >= self.margin:
            return scores
        self.passed_on += 1
        return self._second.run(pixels)

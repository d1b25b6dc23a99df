"""The layer that computes targets: one-hot labels, smoothed, weighted, and mixed with their images."""

from __future__ import annotations

from functools import cache
from typing import Any

from trainer.augmentation.choices import MIXING
from trainer.core.backend import load_keras

MIXUP_ALPHA = 0.2
"""Parameter of mixup's beta distribution (Zhang et al. 2018, ImageNet setting)."""

CUTMIX_ALPHA = 1.0
"""Parameter of cutmix's beta distribution: all shares are equally likely (Yun et al. 2019)."""


def target_layer(
    names: tuple[str, ...],
    classes: int,
    seed: int,
    *,
    smoothing: float = 0.0,
    class_weights: tuple[float, ...] | None = None,
) -> Any:
    """Returns a layer from images and labels to mixed images and targets.

    In inference the images are unchanged and the targets are plain one-hot labels, so the val
    loss is plain cross-entropy. With both cutmix and mixup, each batch draws one of them.

    Args:
        names: Chosen augmentations; only :data:`~trainer.augmentation.choices.MIXING` ones are used.
        classes: Number of classes.
        seed: Random seed.
        smoothing: Share of each target spread over all classes, 0..1 (Szegedy et al. 2016).
        class_weights: Factor on each class's targets; None to weight nothing.

    Returns:
        A ``keras.layers.Layer``: ``(images, labels)``, float ``[batch, ...]`` and int
        ``[batch]``, becomes ``(images, targets)``, targets float32 ``[batch, classes]``.
    """
    return _layer_class()(tuple(sorted(MIXING & set(names))), classes, seed, smoothing, class_weights)


@cache
def _layer_class() -> Any:
    keras = load_keras()
    ops = keras.ops

    class Targets(keras.layers.Layer):  # type: ignore[misc,name-defined]
        """See :func:`target_layer`."""

        def __init__(
            self, mixing: tuple[str, ...], classes: int, seed: int, smoothing: float,
            class_weights: tuple[float, ...] | None,
        ) -> None:  # fmt: skip
            super().__init__(dtype="float32", name="targets", trainable=False)
            self.mixing, self.classes = mixing, classes
            self.smoothing, self.factors = smoothing, class_weights
            self.seeds = keras.random.SeedGenerator(seed)

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            images, labels = inputs
            targets = ops.one_hot(ops.cast(labels, "int32"), self.classes, dtype="float32")
            if not training:
                return images, targets
            if self.smoothing:
                targets = targets * (1.0 - self.smoothing) + self.smoothing / self.classes
            if self.factors is not None:
                targets = targets * ops.convert_to_tensor([list(self.factors)], "float32")
            if self.mixing == ("mixup",):
                return self._mixup(images, targets)
            if self.mixing == ("cutmix",):
                return self._cutmix(images, targets)
            if self.mixing:
                faded, pasted = self._mixup(images, targets), self._cutmix(images, targets)
                heads = keras.random.uniform((), seed=self.seeds) < 0.5
                return tuple(ops.where(heads, a, b) for a, b in zip(faded, pasted, strict=True))
            return images, targets

        def _mixup(self, images: Any, targets: Any) -> tuple[Any, Any]:
            share = keras.random.beta(
                (ops.shape(images)[0],), MIXUP_ALPHA, MIXUP_ALPHA, dtype="float32", seed=self.seeds
            )
            wide = ops.reshape(share, (-1, *[1] * (len(images.shape) - 1)))
            mixed = images * wide + ops.flip(images, axis=0) * (1.0 - wide)
            return mixed, self._blend(targets, share)

        def _cutmix(self, images: Any, targets: Any) -> tuple[Any, Any]:
            count, height, width = ops.shape(images)[0], images.shape[1], images.shape[2]
            kept = keras.random.beta((count,), CUTMIX_ALPHA, CUTMIX_ALPHA, dtype="float32", seed=self.seeds)
            side = ops.sqrt(1.0 - kept)
            rows = self._inside(side, height, count)
            columns = self._inside(side, width, count)
            box = ops.expand_dims(rows, 2) * ops.expand_dims(columns, 1)
            share = 1.0 - ops.mean(box, axis=(1, 2))
            mixed = ops.where(ops.expand_dims(box, 3) > 0.5, ops.flip(images, axis=0), images)
            return mixed, self._blend(targets, share)

        def _inside(self, side: Any, pixels: int, count: Any) -> Any:
            """1.0 for the pixels in an interval of length ``side`` (a share) around a random centre."""
            centre = keras.random.uniform((count,), dtype="float32", seed=self.seeds)
            place = (ops.arange(pixels, dtype="float32") + 0.5) / pixels
            distance = ops.abs(ops.expand_dims(place, 0) - ops.expand_dims(centre, 1))
            return ops.cast(distance < ops.expand_dims(side, 1) / 2.0, "float32")

        def _blend(self, targets: Any, share: Any) -> Any:
            """Targets of a batch whose images are ``share`` themselves and the rest their partner."""
            wide = ops.expand_dims(share, 1)
            # Batches are in random order, so the reversed batch provides random partners.
            return targets * wide + ops.flip(targets, axis=0) * (1.0 - wide)

        def compute_output_shape(self, shapes: Any) -> Any:
            images, labels = shapes
            return images, (labels[0], self.classes)

    return Targets

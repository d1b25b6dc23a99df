"""The configuration of a training run: every option, its default and its limits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from edge_runtime.common.errors import UnknownNameError, UsageError
from edge_runtime.image.input_spec import Fit, InputSpec
from trainer.augmentation.choices import MIXING, parse_augmentations
from trainer.models.catalog import info, names_of_any_size
from trainer.models.pretrained import check_pixel_range
from trainer.ranks.place import parsed

Schedule = Literal["cosine", "constant", "plateau"]
"""Learning rate schedule: warm-up and cosine decay, constant, or lowered when val loss stops falling."""

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
"""Precision of the computation; the weights and the saved model are always float32."""

ClassWeights = Literal["none", "balanced"]
"""``balanced`` weights every class equally."""

MIN_NATIVE_SIZE = 28
"""Smaller arrays are enlarged to this side in pixels, the minimum for two rounds of pooling."""

_RANGES: dict[str, tuple[float, float]] = {
    "width": (0.1, 4.0), "epochs": (1, 10_000), "fine_tune_epochs": (0, 10_000), "half_size_epochs": (0, 10_000),
    "batch_size": (1, 4096), "seed": (0, 2**32 - 1), "views": (1, 64),
}  # fmt: skip
"""Smallest and largest value of numeric options."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Configuration of :func:`trainer.train`.

    Attributes:
        data: One of ``edge_runtime.dataset.FORMS``.
        out: The run folder to create.
        model: One of ``trainer.models.names()``.
        size: Side of the square input in pixels; None for the model's default.
        channels: 3 or 1; None to choose by data and model.
        fit: ``stretch`` or ``crop``.
        weights: Pretrained weights: ``imagenet``, ``none`` or None, or a path. Models without
            pretrained weights ignore the default.
        width: Width multiplier of the model's layers; 1.0 is the published one.
        pixel_range: Pixel range that the SavedModel of a ``feature_extractor`` expects: ``0..1``,
            ``-1..1`` or ``0..255``; None for ``0..1``, as on TF-Hub. None for every other model.
        epochs: Maximum number of epochs; None for the default. For a pretrained model up to half
            of them, at most 8, are for fine-tuning; with ``fine_tune_epochs`` all are for the head.
        fine_tune_epochs: Maximum number of epochs that fine-tune the backbone of a pretrained
            model, after its head was trained.
        half_size_epochs: Maximum number of epochs on images of half the size, before the others. An epoch of them
            takes a half to a quarter of the time. For networks from random weights that end in global average pooling.
        unfreeze: Number of layers at the end of the backbone to fine-tune, or ``all``.
        views: Views per image that are cached for training on a frozen backbone; the first is
            the unchanged image, the others are augmented.
        train_batch_norm: Whether to fine-tune batch normalisation; otherwise it keeps the
            statistics of the pretrained weights.
        batch_size: Images per batch, of all devices together.
        learning_rate: Peak learning rate of training from scratch or of fine-tuning; ``auto``
            finds it by a range test; None for the default.
        schedule: ``cosine``, ``constant`` or ``plateau``.
        seed: Random seed.
        patience: Epochs without a better val result after which a phase stops early.
        augment: ``auto``, ``none``, or names of :data:`trainer.augmentation.AUGMENTATIONS`.
        label_smoothing: Share of each target that is spread over all classes, 0..1.
        class_weights: ``balanced`` weights every class equally, whatever its number of images.
        ema: Momentum of an exponential moving average of the weights, which is then measured and
            saved; 0 disables it.
        precision: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``; ``auto`` is bfloat16 where the CPU or
            GPU multiplies it, else float32.
        logs: Folder for a CSV and TensorBoard events, updated after every epoch; None to write none.
        overwrite: Whether an existing run folder may be replaced.
        fresh: Whether to start over instead of resuming an interrupted run.
        cache_dir: Folder of the pixel cache; None for ``~/.cache/snapship/pixels``.
        distributed: Several devices: ``auto`` for all GPUs of this machine, a number of processes, ``env`` for a
            rank that a launcher started, or ``ray:`` and the address of a Ray cluster; None for one.

    Raises:
        UsageError: A value is invalid.
        UnknownNameError: A name such as the model's or an augmentation's is unknown.
    """

    data: str | os.PathLike[str]
    out: str | os.PathLike[str]
    model: str = "mobilenet_v2"
    size: int | None = None
    channels: int | None = None
    fit: str = "stretch"
    weights: str | os.PathLike[str] | None = "imagenet"
    width: float = 1.0
    pixel_range: str | None = None
    epochs: int | None = None
    fine_tune_epochs: int | None = None
    half_size_epochs: int = 0
    unfreeze: int | str = "all"
    views: int = 2
    train_batch_norm: bool = False
    batch_size: int = 32
    learning_rate: float | str | None = None
    schedule: str = "cosine"
    seed: int = 0
    patience: int | None = None
    augment: str | Sequence[str] = "auto"
    label_smoothing: float = 0.0
    class_weights: str = "none"
    ema: float = 0.0
    precision: str = "auto"
    logs: str | os.PathLike[str] | None = None
    overwrite: bool = False
    fresh: bool = False
    cache_dir: str | os.PathLike[str] | None = None
    distributed: str | int | None = None

    def __post_init__(self) -> None:
        """Checks everything that can be checked without the data."""
        model = info(self.model)
        if self.fit not in get_args(Fit):
            raise UnknownNameError.of("fit", self.fit, get_args(Fit))
        if self.channels not in (None, 1, 3):
            raise _wrong("channels", "1 or 3", self.channels)
        if self.size is not None and not model.min_size <= self.size <= 1024:
            raise _wrong("size", f"{model.min_size} to 1024 pixels for {self.model}", self.size)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if value is not None and not low <= value <= high:
                raise _wrong(name, f"{low} to {high}", value)
        if not model.widths and self.width != 1.0:
            raise _wrong("width", f"1.0 for {self.model}", self.width)
        if not model.pretrained and self.weights not in (None, "none", "imagenet"):
            raise _wrong("weights", f"none for {self.model}, which has no pretrained weights", self.weights)
        if model.frozen and self.weights in (None, "none", "imagenet"):
            raise _wrong("weights", f"the folder of a SavedModel for {self.model}", self.weights)
        if self.pixel_range is not None:
            check_pixel_range(self.pixel_range)
            if not model.frozen:
                raise _wrong("pixel_range", f"omitted for {self.model}", self.pixel_range)
        if self.half_size_epochs and not model.any_size:
            fitting = " or ".join(names_of_any_size())
            raise _wrong("half_size_epochs", f"0 for {self.model}; use {fitting}", self.half_size_epochs)
        published = self.pretrained and self.weights == "imagenet"
        if published and model.widths and self.width not in model.widths:
            widths = ", ".join(str(width) for width in model.widths)
            raise _wrong("width", f"one of {widths} with weights=imagenet", self.width)
        rate = self.learning_rate
        if isinstance(rate, str):
            if rate != "auto":
                raise _wrong("learning_rate", "auto or a number", rate)
        elif rate is not None and not 0.0 < rate <= 10.0:
            raise _wrong("learning_rate", "above 0 and at most 10", rate)
        if self.patience is not None and self.patience < 1:
            raise _wrong("patience", "at least 1", self.patience)
        self._check_training()

    def _check_training(self) -> None:
        """Checks how to train."""
        augment = parse_augmentations(self.augment)
        object.__setattr__(self, "augment", augment)
        ranks = parsed(self.distributed)
        object.__setattr__(self, "distributed", ranks)
        if isinstance(ranks, int) and ranks > self.batch_size:
            raise _wrong("batch_size", f"at least the number of processes, {ranks}", self.batch_size)
        for kind, value, known in (
            ("schedule", self.schedule, get_args(Schedule)),
            ("class_weights", self.class_weights, get_args(ClassWeights)),
            ("precision", self.precision, get_args(Precision)),
        ):
            if value not in known:
                raise UnknownNameError.of(kind, value, known)
        unfreeze = self.unfreeze
        if isinstance(unfreeze, str) and unfreeze != "all":
            raise _wrong("unfreeze", "all or a number of layers", unfreeze)
        if not isinstance(unfreeze, str) and not 1 <= unfreeze <= 100_000:
            raise _wrong(
                "unfreeze", "all or at least 1 layer (to skip fine-tuning, use fine_tune_epochs=0)", unfreeze
            )
        for name in ("label_smoothing", "ema"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise _wrong(name, "at least 0 and below 1", getattr(self, name))
        mixing = MIXING & set(augment) if isinstance(augment, tuple) else set()
        # A single epoch trains the head.
        head_only = self.fine_tune_epochs == 0 or (self.fine_tune_epochs is None and self.epochs == 1)
        frozen = head_only or info(self.model).frozen
        on_activations = self.pretrained and (frozen or unfreeze != "all")
        if mixing and on_activations:
            raise _wrong(
                "augment",
                "without cutmix and mixup when the activations of a frozen backbone are cached",
                ",".join(sorted(mixing)),
            )

    @property
    def pretrained(self) -> bool:
        """Whether training starts from pretrained weights."""
        return info(self.model).pretrained and self.weights not in (None, "none")

    def input_spec(self, native_size: tuple[int, int] | None, gray: bool) -> InputSpec:
        """Returns the model's input for this data.

        Args:
            native_size: Height and width of array data; None for image files.
            gray: Whether the data has one channel.
        """
        model = info(self.model)
        height = width = self.size or model.default_size
        if self.size is None and native_size is not None:
            least = max(MIN_NATIVE_SIZE, model.min_size)
            height, width = max(native_size[0], least), max(native_size[1], least)
        channels = self.channels or (1 if gray and not model.pretrained else 3)
        return InputSpec(height=height, width=width, channels=channels, fit=cast(Fit, self.fit))

    def record(self) -> dict[str, Any]:
        """Returns plain data; :func:`trainer.config.schedule.resolved_config` turns it into what ``run.json`` holds."""
        values = asdict(self)
        for name in ("data", "out", "weights", "logs", "cache_dir"):
            if values[name] is not None:
                values[name] = os.fspath(values[name])
        return values


def _wrong(name: str, rule: str, received: object) -> UsageError:
    return UsageError(f"{name} must be {rule}. Received: {name}={received}. Change the option.")

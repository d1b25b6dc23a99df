"""What to train: every knob, its default and its limits."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast, get_args

from edge_runtime.errors import UnknownNameError, UsageError
from edge_runtime.spec import Fit, InputSpec
from trainer.augmentation.choices import MIXING, checked
from trainer.models.catalog import info
from trainer.models.extractor import check_pixel_range

Schedule = Literal["cosine", "constant", "plateau"]
"""How the learning rate moves: warm-up and cosine, not at all, or down when val loss stays."""

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
"""What training computes in; weights, and the model that is saved, are always float32."""

ClassWeights = Literal["none", "balanced"]
"""Whether rare classes count more."""

MIN_NATIVE_SIZE = 28
"""Smaller arrays are enlarged to this side in pixels: two rounds of pooling need it."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Configuration of :func:`trainer.train`.

    Attributes:
        data: One of ``edge_runtime.dataset.FORMS``.
        out: The run folder to make.
        model: One of ``trainer.models.names()``.
        size: Side of the square input in pixels; None for the model's default.
        channels: 3 or 1; None for what suits the data and the model.
        fit: ``stretch`` or ``crop``.
        weights: Pretrained weights: ``imagenet``, ``none`` or None, or a path. Models that
            have none ignore the default.
        width: Width multiplier of the model's layers; 1.0 is the published one.
        pixel_range: What the SavedModel of a ``feature_extractor`` takes: ``0..1``, ``-1..1`` or
            ``0..255``; None for the first, as TF-Hub's do, and for every other model.
        epochs: Most epochs in all; None for the default. Of a pretrained model up to half of them,
            at most 8, fine-tune; with ``fine_tune_epochs`` they are those of the head.
        fine_tune_epochs: Most epochs in which the backbone of a pretrained model is trained, after
            those of the head.
        unfreeze: How much of the backbone fine-tuning trains: its last so many layers, or ``all``.
        views: Augmented views of each image that are computed ahead for what trains on a frozen
            part; the first is the image as it is.
        train_batch_norm: Whether fine-tuning trains batch normalisation; else it keeps the
            statistics of the pretrained weights.
        batch_size: Images per step.
        learning_rate: Highest rate of plain training or of fine-tuning; ``auto`` finds it by a
            range test; None for the default.
        schedule: ``cosine``, ``constant`` or ``plateau``.
        seed: Seed of everything random.
        patience: Epochs without a better val result after which a phase ends.
        augment: ``auto``, ``none``, or names of :data:`trainer.augmentation.AUGMENTATIONS`.
        label_smoothing: Share of each target that is spread over all classes, 0..1.
        class_weights: ``balanced`` makes every class count alike, however many images it has.
        ema: Momentum of an average over the weights, which is then measured and saved; 0 for none.
        precision: ``float32``, ``mixed_bfloat16`` or ``mixed_float16``.
        logs: Folder for a CSV and TensorBoard events, written an epoch at a time; None for none.
        overwrite: Whether an existing run folder may be replaced.
        fresh: Whether to start over where an interrupted run of the same command could go on.
        cache_dir: Where decoded pixels are kept; None for ``~/.cache/snapship/pixels``.

    Raises:
        UsageError: A value that makes no sense.
        UnknownNameError: A model or fit that does not exist.
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
    precision: str = "float32"
    logs: str | os.PathLike[str] | None = None
    overwrite: bool = False
    fresh: bool = False
    cache_dir: str | os.PathLike[str] | None = None

    def __post_init__(self) -> None:
        """Checks every value that can be checked without the data."""
        model = info(self.model)
        if self.fit not in get_args(Fit):
            raise UnknownNameError.of("fit", self.fit, get_args(Fit))
        if self.channels not in (None, 1, 3):
            raise _wrong("channels", "1 or 3", self.channels)
        if self.size is not None and not model.min_size <= self.size <= 1024:
            raise _wrong("size", f"{model.min_size} to 1024 pixels for {self.model}", self.size)
        if not 0.1 <= self.width <= 4.0:
            raise _wrong("width", "0.1 to 4.0", self.width)
        if not model.widths and self.width != 1.0:
            raise _wrong("width", f"1.0 for {self.model}", self.width)
        if not model.pretrained and self.weights not in (None, "none", "imagenet"):
            raise _wrong("weights", f"none for {self.model}, which has no pretrained weights", self.weights)
        if model.frozen and self.weights in (None, "none", "imagenet"):
            raise _wrong("weights", f"the folder of a SavedModel for {self.model}", self.weights)
        if self.pixel_range is not None:
            check_pixel_range(self.pixel_range)
            if not model.frozen:
                raise _wrong("pixel_range", f"left out for {self.model}", self.pixel_range)
        published = self.pretrained and self.weights == "imagenet"
        if published and model.widths and self.width not in model.widths:
            widths = ", ".join(str(width) for width in model.widths)
            raise _wrong("width", f"one of {widths} with weights=imagenet", self.width)
        if self.epochs is not None and not 1 <= self.epochs <= 10_000:
            raise _wrong("epochs", "1 to 10000", self.epochs)
        if self.fine_tune_epochs is not None and not 0 <= self.fine_tune_epochs <= 10_000:
            raise _wrong("fine_tune_epochs", "0 to 10000", self.fine_tune_epochs)
        if not 1 <= self.batch_size <= 4096:
            raise _wrong("batch_size", "1 to 4096", self.batch_size)
        rate = self.learning_rate
        if isinstance(rate, str):
            if rate != "auto":
                raise _wrong("learning_rate", "auto or a number", rate)
        elif rate is not None and not 0.0 < rate <= 10.0:
            raise _wrong("learning_rate", "above 0 and at most 10", rate)
        if not 0 <= self.seed < 2**32:
            raise _wrong("seed", "0 to 4294967295", self.seed)
        if self.patience is not None and self.patience < 1:
            raise _wrong("patience", "at least 1", self.patience)
        self._check_training()

    def _check_training(self) -> None:
        """Checks how to train."""
        names = checked(self.augment)
        object.__setattr__(self, "augment", names)
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
            raise _wrong("unfreeze", "all or at least 1 layer; for none use fine_tune_epochs=0", unfreeze)
        if not 1 <= self.views <= 64:
            raise _wrong("views", "1 to 64", self.views)
        if not 0.0 <= self.label_smoothing < 1.0:
            raise _wrong("label_smoothing", "at least 0 and below 1", self.label_smoothing)
        if not 0.0 <= self.ema < 1.0:
            raise _wrong("ema", "at least 0 and below 1", self.ema)
        mixing = MIXING & set(names) if isinstance(names, tuple) else set()
        # A single epoch is the head's.
        none_further = self.fine_tune_epochs == 0 or (self.fine_tune_epochs is None and self.epochs == 1)
        frozen = none_further or info(self.model).frozen
        on_activations = self.pretrained and (frozen or unfreeze != "all")
        if mixing and on_activations:
            raise _wrong(
                "augment",
                "without cutmix and mixup where a frozen part is computed ahead",
                ",".join(sorted(mixing)),
            )

    @property
    def pretrained(self) -> bool:
        """Whether training starts from pretrained weights."""
        return info(self.model).pretrained and self.weights not in (None, "none")

    def input_spec(self, native_size: tuple[int, int] | None, gray: bool) -> InputSpec:
        """Returns the model's input for this data.

        Args:
            native_size: Height and width of array sources, None for image files.
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
        """Plain data; :func:`trainer.schedule.used` makes of it what ``run.json`` holds."""
        values = asdict(self)
        for name in ("data", "out", "weights", "logs", "cache_dir"):
            if values[name] is not None:
                values[name] = os.fspath(values[name])
        return values


def _wrong(name: str, rule: str, received: object) -> UsageError:
    return UsageError(f"{name} must be {rule}. Received: {name}={received}. Change that option.")

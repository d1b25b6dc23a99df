"""The phases of a training run, with every default filled in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from edge_runtime.image.input_spec import InputSpec
from trainer.augmentation.choices import resolve_augmentations
from trainer.config.train_config import TrainConfig
from trainer.models.catalog import info


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        name: ``half-size``, ``train``, ``head`` or ``fine-tune``; its name in the history.
        epochs: Maximum number of epochs.
        patience: Epochs without a better val result after which it stops early.
        learning_rate: Peak learning rate; None to find it by a range test.
    """

    name: str
    epochs: int
    patience: int
    learning_rate: float | None


PLAIN = Phase("train", epochs=20, patience=8, learning_rate=2e-3)
"""Defaults of training from random weights."""

HALF_SIZE = "half-size"
"""Name of the phase on images of half the size, which comes first."""

HEAD = Phase("head", epochs=40, patience=8, learning_rate=3e-3)
"""Defaults of the head of a pretrained model; its learning rate is fixed."""

FINE_TUNE = Phase("fine-tune", epochs=8, patience=4, learning_rate=1e-4)
"""Defaults of fine-tuning a pretrained backbone, at a thirtieth of the head's rate."""


def phases(config: TrainConfig) -> tuple[Phase, ...]:
    """Returns the phases in the order in which they run: head and fine-tuning, or one, after one at half size.

    Args:
        config: The configuration.
    """
    if not config.pretrained:
        whole = _filled(PLAIN, config, config.epochs, config.learning_rate)
        if not config.half_size_epochs:
            return (whole,)
        return replace(whole, name=HALF_SIZE, epochs=config.half_size_epochs), whole
    epochs, further = config.epochs, config.fine_tune_epochs
    if further is None and epochs is not None and not info(config.model).frozen:
        # A single number means the total, and epochs of fine-tuning take the longest.
        further = min(FINE_TUNE.epochs, epochs // 2)
        epochs -= further
    if further == 0 or info(config.model).frozen:
        return (_filled(HEAD, config, epochs, config.learning_rate),)
    head = _filled(HEAD, config, epochs, None)
    return head, _filled(FINE_TUNE, config, further, config.learning_rate)


def describe_plan(config: TrainConfig) -> str:
    """Describes in one line what will be trained for how long.

    Args:
        config: The configuration.
    """
    head, *further = phases(config)
    total = head.epochs + sum(phase.epochs for phase in further)
    text = f"training for up to {total} epoch{'s' if total > 1 else ''}"
    if not config.pretrained:
        return f"{text}: {head.epochs} at half size, then {further[0].epochs}" if further else text
    if not further:
        return f"{text}, head only"
    layers = "all layers" if config.unfreeze == "all" else f"the last {config.unfreeze} layers"
    return (
        f"{text}: {head.epochs} for the head, then {further[0].epochs} fine-tuning {layers} "
        "(set by --epochs and --fine-tune-epochs)"
    )


def resolved_config(config: TrainConfig, spec: InputSpec, arrays: bool) -> dict[str, Any]:
    """Returns the configuration as plain data with every default filled in.

    Args:
        config: The user's configuration.
        spec: The model's input.
        arrays: Whether the data is arrays of a fixed size rather than image files.
    """
    planned = phases(config)
    record = config.record()
    record |= {
        "channels": spec.channels,
        "epochs": planned[0 if config.pretrained else -1].epochs,
        "fine_tune_epochs": planned[1].epochs if config.pretrained and len(planned) > 1 else 0,
        "learning_rate": planned[-1].learning_rate or "auto",
        "augment": list(resolve_augmentations(config.augment, arrays)),
        "phases": [asdict(phase) for phase in planned],
    }
    if spec.height == spec.width:
        record["size"] = spec.height
    if not config.pretrained:
        record["weights"] = "none"
    if len({phase.patience for phase in planned}) == 1:
        record["patience"] = planned[0].patience
    return record


def _filled(default: Phase, config: TrainConfig, epochs: int | None, rate: float | str | None) -> Phase:
    peak = default.learning_rate if rate is None else rate
    return Phase(
        default.name,
        epochs=default.epochs if epochs is None else epochs,
        patience=default.patience if config.patience is None else config.patience,
        learning_rate=None if isinstance(peak, str) else peak,
    )

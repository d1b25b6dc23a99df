"""Which phases a configuration trains in, with every default filled in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from edge_runtime.spec import InputSpec
from trainer.augmentation.choices import chosen
from trainer.config import TrainConfig
from trainer.models.catalog import info


@dataclass(frozen=True)
class Phase:
    """One phase of training.

    Attributes:
        name: ``train``, ``head`` or ``fine-tune``; its name in the history.
        epochs: At most so many.
        patience: Epochs without a better val result after which it ends.
        learning_rate: Highest rate; None to find it.
    """

    name: str
    epochs: int
    patience: int
    learning_rate: float | None


PLAIN = Phase("train", epochs=20, patience=8, learning_rate=2e-3)
"""Defaults of training from random weights."""

HEAD = Phase("head", epochs=40, patience=8, learning_rate=3e-3)
"""Defaults of the head of a pretrained model; its rate is fixed."""

FINE_TUNE = Phase("fine-tune", epochs=8, patience=4, learning_rate=1e-4)
"""Defaults of training the backbone of a pretrained model, at a thirtieth of the head's rate."""


def phases(config: TrainConfig) -> tuple[Phase, ...]:
    """The phases in the order in which they run: one, or head and fine-tuning.

    Args:
        config: The configuration.
    """
    if not config.pretrained:
        return (_filled(PLAIN, config, config.epochs, config.learning_rate),)
    epochs, further = config.epochs, config.fine_tune_epochs
    if further is None and epochs is not None and not info(config.model).frozen:
        # Whoever gives one number means all epochs, and fine-tuning is where they take long.
        further = min(FINE_TUNE.epochs, epochs // 2)
        epochs -= further
    if further == 0 or info(config.model).frozen:
        return (_filled(HEAD, config, epochs, config.learning_rate),)
    head = _filled(HEAD, config, epochs, None)
    return head, _filled(FINE_TUNE, config, further, config.learning_rate)


def announced(config: TrainConfig) -> str:
    """What will be trained for how long, in one line for people.

    Args:
        config: The configuration.
    """
    head, *further = phases(config)
    total = head.epochs + sum(phase.epochs for phase in further)
    told = f"training for up to {total} epoch{'s' if total > 1 else ''}"
    if not config.pretrained:
        return told
    if not further:
        return f"{told}, of the head alone"
    layers = "all layers" if config.unfreeze == "all" else f"the last {config.unfreeze} layers"
    return (
        f"{told}: {head.epochs} of the head, then {further[0].epochs} of fine-tuning {layers} "
        "(--epochs and --fine-tune-epochs choose)"
    )


def used(config: TrainConfig, spec: InputSpec, arrays: bool) -> dict[str, Any]:
    """The configuration as it is used: plain data without an open default.

    Args:
        config: What the user asked for.
        spec: The input that it came to.
        arrays: Whether the data are arrays of a fixed size and not image files.
    """
    planned = phases(config)
    record = config.record()
    record |= {
        "channels": spec.channels,
        "epochs": planned[0].epochs,
        "fine_tune_epochs": planned[1].epochs if len(planned) > 1 else 0,
        "learning_rate": planned[-1].learning_rate or "auto",
        "augment": list(chosen(config.augment, arrays)),
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
    wanted = default.learning_rate if rate is None else rate
    return Phase(
        default.name,
        epochs=default.epochs if epochs is None else epochs,
        patience=default.patience if config.patience is None else config.patience,
        learning_rate=None if isinstance(wanted, str) else wanted,
    )

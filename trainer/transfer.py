"""Transfer learning: training from pretrained weights, in two phases.

1. Head: the backbone is frozen, so it runs once per image and view; the head is trained on
   the cached features, in seconds.
2. Fine-tuning, at a far lower learning rate: the last layers of the backbone, on cached
   activations of the layer where the frozen part ends, or all layers on augmented pixels.

By default batch normalisation keeps the statistics of the pretrained weights: those of a few
hundred images would be worse.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.activations import cached_activations
from trainer.augmentation.choices import MIXING
from trainer.batches import Feed
from trainer.freezing import backbone_layers, features_index, last_cut, set_trainable, split_model
from trainer.harness import as_logits
from trainer.phase import run_phase
from trainer.plain import pixel_feeds
from trainer.progress import Event
from trainer.schedule import Phase, phases
from trainer.session import Session


def train_transfer(model: Any, session: Session) -> None:
    """Trains the head, then the last layers or all of them.

    Args:
        model: A ``keras.Model`` with pretrained weights, a layer named
            :data:`trainer.models.pretrained.FEATURES` and a dense layer ``scores``.
        session: The run.
    """
    head, *further = phases(session.config)
    with as_logits(model):
        reached = _on_activations(model, features_index(model), head, session, None)
        for phase in further:
            _fine_tune(model, phase, session, reached)


def _fine_tune(model: Any, phase: Phase, session: Session, reached: tuple[float, float]) -> None:
    config = session.config
    first = set_trainable(model, config.unfreeze, config.train_batch_norm)
    if not any(layer.trainable_weights for layer in backbone_layers(model)):
        session.progress(
            Event(phase.name, message=f"{phase.name}: skipped, no layer of the backbone is trainable")
        )
        return
    cut = 0 if config.unfreeze == "all" else last_cut(model, first)
    if cut > 0:
        _on_activations(model, cut, phase, session, reached)
        return
    train, val = pixel_feeds(session)
    run_phase(session, phase, model, train, val, to_beat=reached)


def _on_activations(
    model: Any, cut: int, phase: Phase, session: Session, reached: tuple[float, float] | None
) -> tuple[float, float]:
    """Trains the layers after the cut, on the cached activations of the layer at the cut."""
    front, tail = split_model(model, cut)
    pixels, folder = session.pixels, session.checkpoint.folder
    augment = tuple(name for name in session.augment if name not in MIXING)
    count = session.config.views if augment else 1
    total = count * len(session.train) + len(session.val)
    session.progress(
        Event("features", 0, 0, f"{phase.name}: running {total} images through the {cut} frozen layers")
    )

    def activations(name: str, chosen: Any, view: int) -> Any:
        return cached_activations(
            front, pixels, chosen, folder / f"{phase.name}-{name}.npy", augment=augment if view else (),
            seed=session.config.seed + view, progress=session.progress,
        )  # fmt: skip

    views = [activations(f"train-{view}", session.train, view) for view in range(count)]
    val = activations("val", session.val, 0)
    # One view that exceeds the range of float16 makes all of them float32.
    kind = np.result_type(*views, val)
    return run_phase(
        session, phase, tail, Feed(views, pixels.labels[session.train], kind),
        Feed((val,), pixels.labels[session.val], kind), to_beat=reached,
    )  # fmt: skip

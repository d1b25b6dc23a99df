"""Training from pretrained weights, in two phases.

1. Head: the backbone is frozen, so it runs once an image and view; what follows it is
   trained on the kept features, in seconds.
2. Fine-tuning, at a far lower rate: the last layers of the backbone, again on
   kept activations of where the freeze ends, or all of them on augmented pixels.

Batch normalisation keeps the statistics of the pretrained weights unless asked
otherwise: a few hundred images give worse ones.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trainer.activations import cached_activations
from trainer.augmentation.choices import MIXING
from trainer.batches import Feed
from trainer.freezing import backbone_layers, features_place, halves, last_cut, set_trainable
from trainer.harness import as_logits
from trainer.phase import run_phase
from trainer.plain import pixel_feeds
from trainer.progress import Event
from trainer.schedule import Phase, phases
from trainer.session import Session


def train_transfer(model: Any, session: Session) -> None:
    """Trains the head, then the last layers or all.

    Args:
        model: A ``keras.Model`` with pretrained weights, a layer named as
            :data:`trainer.models.pretrained.FEATURES` and a dense layer ``scores``.
        session: The run.
    """
    head, *further = phases(session.config)
    with as_logits(model):
        reached = _on_activations(model, features_place(model), head, session, None)
        for phase in further:
            _fine_tune(model, phase, session, reached)


def _fine_tune(model: Any, phase: Phase, session: Session, reached: tuple[float, float]) -> None:
    config = session.config
    first = set_trainable(model, config.unfreeze, config.train_batch_norm)
    if not any(layer.trainable_weights for layer in backbone_layers(model)):
        session.progress(Event(phase.name, message=f"{phase.name}: nothing in the backbone can be trained"))
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
    """Trains what follows a layer, on what that layer gives."""
    front, tail = halves(model, cut)
    pixels, folder = session.pixels, session.checkpoint.folder
    augment = tuple(name for name in session.augment if name not in MIXING)
    count = session.config.views if augment else 1
    total = count * len(session.train) + len(session.val)
    session.progress(
        Event(
            "features", 0, 0, f"{phase.name}: {total} images through the {cut} layers that stay as they are"
        )
    )

    def activations(name: str, chosen: Any, view: int) -> Any:
        return cached_activations(
            front, pixels, chosen, folder / f"{phase.name}-{name}.npy", augment=augment if view else (),
            seed=session.config.seed + view, progress=session.progress,
        )  # fmt: skip

    views = [activations(f"train-{view}", session.train, view) for view in range(count)]
    val = activations("val", session.val, 0)
    # A single view with a value beyond float16 makes all of them float32.
    kind = np.result_type(*views, val)
    return run_phase(
        session, phase, tail, Feed(views, pixels.labels[session.train], kind),
        Feed((val,), pixels.labels[session.val], kind), to_beat=reached,
    )  # fmt: skip

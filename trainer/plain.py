"""Training from scratch: one phase over the whole network."""

from __future__ import annotations

from typing import Any

from trainer.batches import Feed, Rows
from trainer.harness import as_logits
from trainer.phase import run_phase
from trainer.schedule import phases
from trainer.session import Session


def train_plain(model: Any, session: Session) -> None:
    """Trains all layers.

    Args:
        model: A ``keras.Model`` on raw pixels.
        session: The run.
    """
    train, val = pixel_feeds(session)
    (phase,) = phases(session.config)
    with as_logits(model):
        run_phase(session, phase, model, train, val)


def pixel_feeds(session: Session) -> tuple[Feed, Feed]:
    """Returns train and val pixels, read from the cache batch by batch.

    Args:
        session: The run.
    """
    pixels = session.pixels
    feeds = [
        Feed((Rows(pixels.array, chosen),), pixels.labels[chosen]) for chosen in (session.train, session.val)
    ]
    return feeds[0], feeds[1]

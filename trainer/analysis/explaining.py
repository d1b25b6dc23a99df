"""Explains a model's answers for single images: Grad-CAM and feature maps, as pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from edge_runtime.common.errors import first_line
from edge_runtime.engines.result import Float32Array
from edge_runtime.image.preprocess import UInt8Array
from trainer.analysis.gradcam import GradCam
from trainer.analysis.layers import FeatureMapper, NothingToShowError
from trainer.analysis.notable_images import Case, case, heat_overlay, map_strip

_Made = TypeVar("_Made")


@dataclass(frozen=True)
class Heat:
    """A Grad-CAM picture: the class, a data URI, and whether there is any evidence for the class."""

    label: str
    image: str
    found: bool


@dataclass(frozen=True)
class Strip:
    """Feature maps of a layer: its name, its number of channels, the number shown, and a data URI."""

    layer: str
    total: int
    shown: int
    image: str


@dataclass(frozen=True)
class Explanation:
    """One image.

    Attributes:
        case: The image with its scores.
        heats: Grad-CAM for the predicted class and, if that is wrong, for the true class.
        strips: Feature maps of a few layers.
    """

    case: Case
    heats: tuple[Heat, ...]
    strips: tuple[Strip, ...]


@dataclass(frozen=True)
class Subject:
    """An image to explain: its pixels, name, scores, and true class if known."""

    image: UInt8Array
    ref: str
    scores: Float32Array
    truth: int | None


@dataclass(frozen=True)
class Explanations:
    """Explanations of several images.

    Attributes:
        entries: One per image.
        layer: The layer used for Grad-CAM; empty if there is none.
        missing: Why Grad-CAM or feature maps are missing, one line each.
    """

    entries: tuple[Explanation, ...]
    layer: str
    missing: tuple[str, ...]


def attempt(what: str, make: Callable[[], _Made]) -> tuple[_Made | None, str]:
    """Returns a part of the page, or one line that says why it is missing.

    Args:
        what: Name of the part.
        make: Returns the part.
    """
    try:
        return make(), ""
    except NothingToShowError as error:
        return None, f"{what}: not available. {error}"
    # The report of a finished run must not fail because of an unusual architecture.
    except Exception as error:
        return None, f"{what}: not available. {type(error).__name__}: {first_line(error, 160)}"


def explain(
    model: Any, subjects: Iterable[Subject], labels: tuple[str, ...], seconds: float | None = None
) -> Explanations:
    """Explains images.

    Args:
        model: A ``keras.Model`` on raw pixels.
        subjects: The images.
        labels: Class names.
        seconds: Time after which no further image is started; None for no limit.
    """
    started = time.monotonic()
    cam, no_cam = attempt("Grad-CAM", lambda: GradCam(model))
    mapper, no_maps = attempt("Feature maps", lambda: FeatureMapper(model))
    missing = [no_cam, no_maps]
    entries: list[Explanation] = []
    for subject in subjects:
        if entries and seconds is not None and time.monotonic() - started > seconds:
            break
        entry, notes = _explain_one(cam, mapper, subject, labels)
        entries.append(entry)
        missing += notes
    lines = tuple(dict.fromkeys(line for line in missing if line))
    return Explanations(tuple(entries), cam.layer if cam is not None else "", lines)


def _explain_one(
    cam: GradCam | None, mapper: FeatureMapper | None, subject: Subject, labels: tuple[str, ...]
) -> tuple[Explanation, list[str]]:
    """Explains one image; also returns why parts are missing."""
    heats, no_heats = attempt("Grad-CAM", lambda: _heats(cam, subject, labels) if cam else ())
    strips, no_strips = attempt("Feature maps", lambda: _strips(mapper, subject) if mapper else ())
    described = case(subject.image, subject.ref, subject.scores, labels, subject.truth)
    return Explanation(described, heats or (), strips or ()), [no_heats, no_strips]


def _heats(cam: GradCam, subject: Subject, labels: tuple[str, ...]) -> tuple[Heat, ...]:
    answer = int(subject.scores.argmax())
    wanted = [answer] if subject.truth is None else list(dict.fromkeys([answer, subject.truth]))
    result = []
    for label in wanted:
        heat = cam.heat(subject.image, label)
        result.append(Heat(labels[label], heat_overlay(subject.image, heat), bool(np.any(heat > 0))))
    return tuple(result)


def _strips(mapper: FeatureMapper, subject: Subject) -> tuple[Strip, ...]:
    return tuple(
        Strip(maps.layer, maps.total, len(maps.maps), map_strip(maps)) for maps in mapper.of(subject.image)
    )

"""``answers.csv``: what a person answered, one line per photo, as the page of ``--ask`` writes it.

::

    photo,file,answer,shown
    9f86d081884c...,IMG_0001.jpg,daisy,"[""daisy"", ""tulips""]"          the right class, shown or not
    60303ae22b99...,IMG_0002.jpg,(neither),"[""roses"", ""tulips""]"      none of the shown answers is right
    fd61a03af4f7...,IMG_0003.jpg,(both),"[""daisy"", ""roses""]"          all of them are: a photo of both things
    a4e624d686e0...,IMG_0004.jpg,(cannot tell),"[""daisy"", ""roses""]"   stays without a label

A photo is identified by the SHA-256 of its file; the name is for people and not read. ``shown`` is JSON, and may be
left out: it tells whether "neither" and "both" are still about what the models answer, which may have changed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import msgspec

from edge_runtime.common.errors import DataError, UsageError, reason_of
from edge_runtime.common.text import cut, quoted
from edge_runtime.dataset import ImageSet
from edge_runtime.dataset.table_rows import Line, lines_of
from exporter.unlabelled.differing import Photo

Word = Literal["(neither)", "(both)", "(cannot tell)"]
"""Answers other than a class; brackets keep them apart from classes of that name."""

Answer = int | Word
"""A class index, or a word."""

COLUMNS = ("photo", "file", "answer", "shown")
_HEADER = f"the header {','.join(COLUMNS)}, as the page of --ask writes it"
_MOST_BYTES = 64_000_000


@dataclass(frozen=True)
class Given:
    """The answers, matched to photos.

    Attributes:
        answers: By the ``sha256`` of a :class:`Photo`.
        unused: Answers about photos of the folder on which no artifact differs any more.
        outdated: Answers "neither" or "both" about other classes than the models name now; those photos have no
            answer again.
    """

    answers: Mapping[str, Answer]
    unused: int = 0
    outdated: int = 0


def check_words(labels: Sequence[str]) -> None:
    """Rejects class names that mean something else in ``answers.csv``.

    Args:
        labels: The class names.

    Raises:
        UsageError: There is one.
    """
    taken = [label for label in labels if label.lower() in get_args(Word)]
    if taken:
        raise UsageError(
            f"--ask and --answers need class names other than {', '.join(get_args(Word))}. Received: "
            f"{taken[0]!r}. Rename the class."
        )


def read_answers(
    path: str | os.PathLike[str], photos: Sequence[Photo], images: ImageSet, labels: Sequence[str]
) -> Given:
    """Reads the answers of a person.

    Args:
        path: A CSV with the columns ``photo`` and ``answer``.
        photos: The photos on which models differ.
        images: All photos of the check.
        labels: The class names.

    Raises:
        DataError: It cannot be read, an answer is about another photo, not a class or a word, or two contradict
            each other.
    """
    place = Path(path)
    header, *lines = _lines(place)
    names = [cell.lower() for cell in header.cells]
    if names.count("photo") != 1 or names.count("answer") != 1:
        raise DataError(
            f"Answers must have {_HEADER}. Received: {quoted(','.join(header.cells))} in {place}. "
            "Pass the file that the page downloaded."
        )
    key, said = names.index("photo"), names.index("answer")
    owner = {copy: photo.sha256 for photo in photos for copy in photo.copies}
    # A photo that differs no more is not asked about, but is no mistake: the models may have changed.
    known = {item.sha256: owner.get(item.sha256, item.sha256) for item in images.items}
    shown = names.index("shown") if "shown" in names else None
    now = {photo.sha256: {labels[index] for index in photo.classes} for photo in photos}
    found: dict[str, tuple[Answer, int]] = {}
    outdated: set[str] = set()
    for line in lines:
        photo = known.get(line.cell(key).lower())
        if photo is None:
            raise DataError(
                f"Answers must be about photos of --data. Received: {quoted(line.cell(key))} at line {line.number} "
                f"of {place}, which is none of the {len(images):,} photos in {images.source}. Pass the photos that "
                "were asked about, or the answers to these."
            )
        answer = _answer(line.cell(said), line, labels, place)
        before, at = found.setdefault(photo, (answer, line.number))
        if before != answer:
            raise DataError(
                f"A photo must have one answer. Received: {quoted(_shown(before, labels))} at line {at} and "
                f"{quoted(_shown(answer, labels))} at line {line.number} of {place}. Remove one of the two lines."
            )
        covers = (
            shown is None or isinstance(answer, int) or now.get(photo, set()) <= _classes(line, shown, place)
        )
        if not covers and answer != "(cannot tell)":
            outdated.add(photo)
    used = {photo: answer for photo, (answer, _) in found.items() if photo in now}
    answers = {photo: answer for photo, answer in used.items() if photo not in outdated}
    return Given(answers, len(found) - len(used), len(used) - len(answers))


def _lines(place: Path) -> list[Line]:
    try:
        # A folder or a device is no file; a huge one is something else.
        if not place.is_file() or place.stat().st_size > _MOST_BYTES:
            raise DataError(
                f"Answers must be a CSV with {_HEADER}. Received: {place}, "
                f"{'a huge file' if place.is_file() else 'which is no file'}. Check the path."
            )
        data = place.read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(
            f"Answers must be readable. Received: {place} ({reason_of(error)}). Check the path."
        ) from error
    if not data.strip():
        raise DataError(
            f"Answers must have {_HEADER}. Received: an empty file, {place}. Pass the file that the page downloaded."
        )
    return lines_of(data, place.with_suffix(".csv"))


def _answer(text: str, line: Line, labels: Sequence[str], place: Path) -> Answer:
    for word in get_args(Word):
        if text.lower() == word:
            found: Word = word
            return found
    if text in labels:
        return labels.index(text)
    names = cut(", ".join(labels), 200)
    raise DataError(
        f"An answer must be a class or one of {', '.join(get_args(Word))}. Received: {quoted(text)} at line "
        f"{line.number} of {place}. The classes are {names}. Correct the line."
    )


def _classes(line: Line, column: int, place: Path) -> set[str]:
    """The classes that were shown when a word was said."""
    try:
        found = msgspec.json.decode(line.cell(column), type=list[str])
    except (msgspec.DecodeError, UnicodeError) as error:
        raise DataError(
            f"The column shown must be a JSON list of class names. Received: {quoted(line.cell(column))} at line "
            f"{line.number} of {place}. Pass the file that the page downloaded, or remove the column."
        ) from error
    return set(found)


def _shown(answer: Answer, labels: Sequence[str]) -> str:
    return labels[answer] if isinstance(answer, int) else answer

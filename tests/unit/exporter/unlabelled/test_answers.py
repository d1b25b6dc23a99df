from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.asked_case import made_table
from edge_runtime.common.errors import DataError, UsageError
from exporter.source.images import PixelTable
from exporter.unlabelled.answers import check_words, read_answers
from exporter.unlabelled.differing import Answers, Photo, differing_photos

LABELS = ("daisy", "roses", "tulips")


@pytest.fixture
def asked() -> tuple[PixelTable, tuple[Photo, ...]]:
    """Five photos, of which the first two differ; the last is a copy of the first."""
    table = made_table([0, 1, 2, 3, 0], LABELS)
    models = Answers(np.zeros(5, np.int64), {"small": np.array([1, 2, 0, 0, 1])})
    return table, differing_photos(models, table)


def names(table: PixelTable) -> list[str]:
    return [item.sha256 for item in table.images.items]


def test_answers_are_read_as_spreadsheets_write_them(
    asked: tuple[PixelTable, tuple[Photo, ...]], tmp_path: Path
) -> None:
    table, photos = asked
    first, second, third, _, copy = names(table)
    file = tmp_path / "answers.csv"
    file.write_bytes(
        f"\ufeffphoto;file;answer\r\n{copy.upper()};x.jpg;tulips\r\n{second};;(Neither)\r\n{third};;daisy\r\n".encode()
    )
    found = read_answers(file, photos, table.images, LABELS)
    # The answer to a copy is that to the photo; one about a photo that does not differ is not used.
    assert found.answers == {first: 2, second: "(neither)"}
    assert (found.unused, found.outdated) == (1, 0)


def test_neither_of_other_classes_is_asked_again(
    asked: tuple[PixelTable, tuple[Photo, ...]], tmp_path: Path
) -> None:
    table, photos = asked
    first, second, *_ = names(table)
    file = tmp_path / "answers.csv"
    file.write_text(
        f'photo,answer,shown\n{first},(neither),"[""daisy"", ""tulips""]"\n'
        f'{second},(both),"[""tulips"", ""daisy"", ""roses""]"\n'
    )
    found = read_answers(file, photos, table.images, LABELS)
    assert found.answers == {second: "(both)"}
    assert found.outdated == 1


def test_bad_answers_are_refused_in_one_line(
    asked: tuple[PixelTable, tuple[Photo, ...]], tmp_path: Path
) -> None:
    table, photos = asked
    first, *_, copy = names(table)
    file = tmp_path / "answers.csv"
    for text, words in (
        ("", "an empty file"),
        ("\n \n", "an empty file"),
        ("image,label\nx,y\n", "the header photo,file,answer,shown"),
        (f"photo,answer\n{'0' * 64},daisy\n", "none of the 5 photos"),
        (f"photo,answer\n{first},Daisy\n", "'Daisy' at line 2"),
        (f"photo,answer\n{first},\n", "at line 2"),
        (f"photo,answer\n{first},daisy\n{copy},roses\n", "'daisy' at line 2 and 'roses' at line 3"),
        (f"photo,answer,shown\n{first},(both),daisy\n", "JSON list"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match="Received: ") as refused:
            read_answers(file, photos, table.images, LABELS)
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)
    for place in (tmp_path, tmp_path / "missing.csv"):
        with pytest.raises(DataError, match="no file"):
            read_answers(place, photos, table.images, LABELS)
    file.write_text(f"photo,answer\n{first},daisy\n{copy},daisy\n")
    assert read_answers(file, photos, table.images, LABELS).answers == {first: 0}


def test_class_names_that_are_words_are_refused() -> None:
    for word in ("(neither)", "(Both)"):
        with pytest.raises(UsageError, match="Rename the class"):
            check_words(("a", word))

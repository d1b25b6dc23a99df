"""From arguments to photos, in order."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError, UsageError
from edge_runtime.score.inputs import photos_of
from edge_runtime.score.photos import Listing, Photo
from edge_runtime.score.storage import Storage

pyarrow = pytest.importorskip("pyarrow")


def names(*inputs: object, column: str | None = None) -> list[str]:
    return [photo.name for photo in photos_of([str(each) for each in inputs], Storage(), column)]


def write_parquet(file: Path, **columns: object) -> Path:
    import pyarrow.parquet as parquet

    parquet.write_table(pyarrow.table(columns), file)
    return file


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for name in ("b/2.jpg", "b/1.jpg", "a.jpg", "b-side.jpg", ".hidden.jpg", "notes.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"photo")
    return folder


def test_folder_is_sorted_as_predict_sorts_it(photos: Path) -> None:
    assert names(photos) == [str(photos / name) for name in ("a.jpg", "b-side.jpg", "b/1.jpg", "b/2.jpg")]


def test_sizes_are_part_of_what_is_listed(photos: Path) -> None:
    found = list(photos_of([str(photos)], Storage()))
    assert {photo.bytes for photo in found} == {5}


def test_inputs_keep_their_order(photos: Path) -> None:
    assert names(photos / "b", photos / "a.jpg", photos / "*.jpg") == [
        str(photos / name) for name in ("b/1.jpg", "b/2.jpg", "a.jpg", "a.jpg", "b-side.jpg")
    ]


def test_text_list_starts_in_its_own_folder(photos: Path, tmp_path: Path) -> None:
    (photos / "all.txt").write_text(f"b/2.jpg\n\na.jpg\n{tmp_path}/elsewhere.jpg\ns3://bucket/c.jpg\n")
    expected = [f"{photos}/b/2.jpg", f"{photos}/a.jpg", f"{tmp_path}/elsewhere.jpg", "s3://bucket/c.jpg"]
    assert names(photos / "all.txt") == expected


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("file,label\na.jpg,x\nb/1.jpg,y\n", None),
        ("label,Path\nx,a.jpg\ny,b/1.jpg\n", None),
        ("label,where\nx,a.jpg\ny,b/1.jpg\n", "where"),
        ("where\na.jpg\nb/1.jpg\n", None),
        ('\ufefffile\r\na.jpg\r\n"b/1.jpg"\r\n', None),
    ],
)
def test_csv_has_a_column_of_paths(photos: Path, text: str, column: str | None) -> None:
    (photos / "all.csv").write_bytes(text.encode())
    assert names(photos / "all.csv", column=column) == [f"{photos}/a.jpg", f"{photos}/b/1.jpg"]


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("x,y\n1,2\n", None, "a column of photos. Received: .* with x, y. Pass one of them"),
        ("x,y\n1,2\n", "z", "the column z. Received: .* with x, y"),
        ("file\n", None, "at least one photo"),
    ],
)
def test_csv_without_its_column(photos: Path, text: str, column: str | None, told: str) -> None:
    (photos / "all.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        names(photos / "all.csv", column=column)


def test_zip_and_tar_are_listed_without_unpacking(photos: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("z.jpg", "in/a.png", "readme.md"):
            archive.writestr(name, b"data")
    with tarfile.open(tmp_path / "all.tar", "w") as packed:
        for name in ("z.jpg", "in/a.png", "readme.md"):
            info = tarfile.TarInfo(name)
            info.size = 4
            packed.addfile(info, io.BytesIO(b"data"))
    zipped, tarred = str(tmp_path / "all.zip"), str(tmp_path / "all.tar")
    # A tar is read from its beginning to its end, a zip in any order.
    assert names(zipped) == [f"{zipped}/in/a.png", f"{zipped}/z.jpg"]
    assert names(tarred) == [f"{tarred}/z.jpg", f"{tarred}/in/a.png"]
    place = next(photos_of([tarred], Storage()))
    assert place.offset is not None
    assert Path(tarred).read_bytes()[place.offset :][:4] == b"data"


def test_packed_tar_is_refused_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"must not be compressed.*photos\.tar\.gz.*Unpack"):
        names(tmp_path / "photos.tar.gz")


def test_parquet_of_bytes_is_rows(tmp_path: Path) -> None:
    table = write_parquet(tmp_path / "all.parquet", label=["x", "y"], image=[b"1", b"2"])
    assert names(table) == [f"{table}#0", f"{table}#1"]


def test_parquet_of_hugging_face_has_bytes_in_a_struct(tmp_path: Path) -> None:
    cells = [{"bytes": b"1", "path": "a.jpg"}, {"bytes": b"2", "path": "b.jpg"}]
    table = write_parquet(tmp_path / "all.parquet", image=cells, label=[0, 1])
    assert [photo.column for photo in photos_of([str(table)], Storage())] == ["image.bytes"] * 2


def test_parquet_of_paths(photos: Path) -> None:
    table = write_parquet(photos / "all.parquet", path=["a.jpg", "b/1.jpg"], label=[0, 1])
    assert names(table) == [f"{photos}/a.jpg", f"{photos}/b/1.jpg"]


@pytest.mark.parametrize("column", ["label", "image"])
def test_parquet_without_the_column(tmp_path: Path, column: str) -> None:
    table = write_parquet(tmp_path / "all.parquet", label=[0, 1])
    with pytest.raises(DataError, match="label"):
        names(table, column=column)


def test_folder_of_tables_is_their_rows(tmp_path: Path) -> None:
    for index in (1, 0):
        write_parquet(tmp_path / f"part-{index}.parquet", image=[bytes([index])])
    assert names(tmp_path) == [f"{tmp_path}/part-0.parquet#0", f"{tmp_path}/part-1.parquet#0"]


@pytest.mark.parametrize(
    "given", ["none.jpgs/", "none.zip", "none.parquet", "none.txt", "none.tar", "*.none"]
)
def test_missing_input(tmp_path: Path, given: str) -> None:
    (tmp_path / "none.jpgs").mkdir()
    with pytest.raises(DataError) as caught:
        names(tmp_path / given)
    assert given.rstrip("/") in str(caught.value)


@pytest.mark.parametrize("given", ["-", "https://example.com/a.jpg", ""])
def test_what_is_no_file_is_refused(given: str) -> None:
    with pytest.raises(UsageError):
        list(photos_of([given], Storage()))


@pytest.mark.parametrize(("size", "shards"), [(1, 5), (2, 3), (5, 1), (9, 1)])
def test_listing_gives_shards_back(tmp_path: Path, size: int, shards: int) -> None:
    wanted = [
        Photo("a.jpg"), Photo("b.zip", 7, member="ü.jpg"), Photo("c.tar", 1, member="x", offset=512),
        Photo("d.parquet", row=3, column="image"), Photo(os.fsdecode(b"caf\xe9.jpg")),
    ]  # fmt: skip
    listing = Listing(tmp_path / "photos", wanted, size)
    assert (listing.images, listing.shards) == (5, shards)
    assert [photo for shard in range(shards) for photo in listing.shard(shard)] == wanted


def test_hash_changes_with_names_sizes_and_order(tmp_path: Path) -> None:
    one, other = Photo("a", 1), Photo("b", 1)
    lists = [[one, other], [other, one], [one], [one, Photo("b", 2)]]
    hashes = {Listing(tmp_path / str(index), each, 10).sha256 for index, each in enumerate(lists)}
    assert len(hashes) == 4
    assert Listing(tmp_path / "again", lists[0], 3).sha256 in hashes

"""A zip of class folders, read without unpacking it."""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import open_dataset

Picture = Callable[[int], bytes]


@pytest.fixture
def archive(tmp_path: Path) -> Callable[[Mapping[str, bytes]], Path]:
    """Writes a zip from names and contents."""

    def write(members: Mapping[str, bytes]) -> Path:
        path = tmp_path / "photos.zip"
        with zipfile.ZipFile(path, "w") as file:
            for name, content in members.items():
                file.writestr(name, content)
        return path

    return write


Archive = Callable[[Mapping[str, bytes]], Path]


def test_zip_of_class_folders(archive: Archive, picture: Picture) -> None:
    path = archive({f"{name}/{place}.png": picture(place + 10 * (name == "dog"))
                    for name in ("cat", "dog") for place in range(4)})  # fmt: skip
    images = open_dataset(path)
    assert images.labels == ("cat", "dog")
    assert len(images) == 8
    assert images.source == str(path)
    assert images.read(images.items[0]) == picture(0)


def test_zip_as_a_mac_makes_it(archive: Archive, picture: Picture) -> None:
    members = {"photos/": b"", "photos/.DS_Store": b"x", "__MACOSX/photos/._train": b"x"}
    for place, name in enumerate(("train/cat", "train/dog", "val/cat", "val/dog")):
        members[f"photos/{name}/1.png"] = picture(place)
        members[f"__MACOSX/photos/{name}/._1.png"] = b"x"
    images = open_dataset(archive(members))
    assert images.counts() == {"cat": {"train": 1, "val": 1}, "dog": {"train": 1, "val": 1}}
    assert images.skipped == ()


def test_zip_and_folder_of_the_same_pictures_are_the_same_set(
    tmp_path: Path, archive: Archive, picture: Picture
) -> None:
    members = {f"{name}/{place}.png": picture(place + 10 * (name == "dog"))
               for name in ("cat", "dog") for place in range(6)}  # fmt: skip
    for name, content in members.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    assert open_dataset(archive(members)).sha256 == open_dataset(tmp_path / "folder").sha256


@pytest.mark.parametrize(
    "name", ["../evil.png", "cat/../../evil.png", "/etc/evil.png", "C:\\evil.png", "..\\e"]
)
def test_path_that_leaves_the_zip_is_refused(archive: Archive, picture: Picture, name: str) -> None:
    path = archive({"cat/1.png": picture(1), "dog/1.png": picture(2), name: picture(3)})
    with pytest.raises(DataError, match="paths must stay inside"):
        open_dataset(path)


def test_links_in_a_zip_are_left_out(archive: Archive, picture: Picture) -> None:
    path = archive({"cat/1.png": picture(1), "dog/1.png": picture(2)})
    with zipfile.ZipFile(path, "a") as file:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
    assert len(open_dataset(path)) == 2


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_damaged_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="intact zip archive") as caught:
        open_dataset(path)
    assert "\n" not in str(caught.value)


def test_damaged_member_is_skipped(archive: Archive, picture: Picture) -> None:
    path = archive({"cat/1.png": picture(1), "cat/2.png": picture(2), "dog/1.png": picture(3)})
    data = bytearray(path.read_bytes())
    place = data.index(picture(2)) + 40
    data[place] ^= 0xFF
    path.write_bytes(data)
    images = open_dataset(path)
    assert len(images) == 2
    assert images.skipped[0].startswith("cat/2.png: An image file must be readable.")


def test_empty_zip_is_refused(archive: Archive) -> None:
    with pytest.raises(DataError, match="one sub-folder per class"):
        open_dataset(archive({}))


def write_raw(path: Path, members: Mapping[bytes, bytes], extra: Mapping[bytes, bytes] | None = None) -> Path:
    """A zip whose names are these bytes, without the flag for UTF-8."""
    stands = {f"{number:0{len(name)}d}".encode(): name for number, name in enumerate(members)}
    with zipfile.ZipFile(path, "w") as file:
        for stand, name in stands.items():
            info = zipfile.ZipInfo(stand.decode())
            info.extra = (extra or {}).get(name, b"")
            file.writestr(info, members[name])
    data = path.read_bytes()
    for stand, name in stands.items():
        data = data.replace(stand, name)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("page", ["cp437", "cp850", "cp1252", "gbk", "shift_jis", "koi8-r"])
def test_class_name_in_a_code_page_is_refused_and_not_garbled(
    tmp_path: Path, picture: Picture, page: str
) -> None:
    name = {"gbk": "狗狗狗", "shift_jis": "表示犬", "koi8-r": "собака"}.get(page, "Größen")
    members = {
        b"_dog_class/photo-000.png": picture(1),
        f"{name}/photo-001.png".encode(page): picture(2),
    }
    path = write_raw(tmp_path / "set.zip", members)
    with pytest.raises(DataError, match="must be UTF-8") as caught:
        open_dataset(path)
    raw = name.encode(page).decode("ascii", "backslashreplace")
    assert f"Received: {raw} in {path}" in str(caught.value)
    assert "Unpack the archive" in str(caught.value)


def test_file_names_in_a_code_page_are_read_and_shown_as_bytes(tmp_path: Path, picture: Picture) -> None:
    names = ("_cat_class/Gr\xf6\xdfe 1.png", "_dog_class/Gr\xf6\xdfe 2.png", "_dog_class/Gr\xf6\xdfe 3.png")
    path = write_raw(
        tmp_path / "set.zip", {name.encode("cp850"): picture(at) for at, name in enumerate(names)}
    )
    images = open_dataset(path)
    assert images.labels == ("_cat_class", "_dog_class")
    assert images.items[0].ref == "_cat_class/Gr\\x94\\xe1e 1.png"
    assert [images.read(item) for item in images.items] == [picture(0), picture(1), picture(2)]


@pytest.mark.parametrize("valid", [True, False])
def test_unicode_name_beside_a_code_page_is_used_when_it_belongs_to_it(
    tmp_path: Path, picture: Picture, valid: bool
) -> None:
    name = "Größen/photo-001.png"
    raw = name.encode("cp850")
    body = struct.pack("<BI", 1, zlib.crc32(raw if valid else b"another")) + name.encode()
    extra = {raw: struct.pack("<HH", 0x7075, len(body)) + body}
    path = write_raw(tmp_path / "set.zip", {b"_dog_class/photo-000.png": picture(1), raw: picture(2)}, extra)
    if valid:
        assert open_dataset(path).labels == ("Größen", "_dog_class")
    else:
        with pytest.raises(DataError, match="must be UTF-8"):
            open_dataset(path)

"""Columns of a table that mean something are read or refused, never passed over in silence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_runtime.common.errors import DataError
from edge_runtime.dataset import ImageSet, open_dataset

Picture = Callable[[int], bytes]
Table = Callable[..., Path]

CLASSES = ("daisy", "rose", "tulip")


def classes_of(images: ImageSet) -> dict[str, str]:
    return {item.ref: images.labels[item.label] for item in images.items}


RIGHT = {f"{n}.png": CLASSES[n // 3] for n in range(9)}


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("path", "label"), ("filename", "Class"), ("File Name", "category"), ("imagePath", "target"),
        ("image_id", "diagnosis"), ("filepaths", "labels"), ("img", "dx"), ("fname", "species"),
    ],
)  # fmt: skip
def test_columns_by_the_names_that_people_use(table: Table, path: str, label: str) -> None:
    images = open_dataset(table(f"index_,{path},weight,{label}", lambda p, c, k, n: f"{k}{n},{p},0.{n},{c}"))
    assert classes_of(images) == RIGHT


@pytest.mark.parametrize("name", ["isic_id", "name", "Bild"])
@pytest.mark.parametrize("cut", [0, 4], ids=["suffix", "none"])
def test_image_column_of_any_name_is_known_by_its_files(table: Table, name: str, cut: int) -> None:
    images = open_dataset(table(f"age,{name},label", lambda p, c, k, n: f"4{k},{p[: len(p) - cut]},{c}"))
    assert classes_of(images) == RIGHT


def test_two_columns_of_files_are_not_chosen_between(table: Table) -> None:
    with pytest.raises(DataError, match="must have the columns path and label"):
        open_dataset(table("left,right,label", lambda p, c, k, n: f"{p},{p},{c}"))


def test_two_columns_of_which_one_is_the_image(table: Table) -> None:
    assert classes_of(open_dataset(table("filename,bloom", lambda p, c, k, n: f"{p},{c}"))) == RIGHT
    assert classes_of(open_dataset(table(",filename,花", lambda p, c, k, n: f"{k}{n},{p},{c}"))) == RIGHT


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("path,label,is_valid", lambda p, c, k, n: f"{p},{c},{n == 2}"),
        ("path,label,isValid", lambda p, c, k, n: f"{p},{c},{int(n == 2)}"),
        ("path,label,is_valid", lambda p, c, k, n: f"{p},{c},{float(n == 2)}"),
        ("path,label,is_valid", lambda p, c, k, n: f"{p},{c},{'valid' if n == 2 else 'train'}"),
        ("path,label,is_train", lambda p, c, k, n: f"{p},{c},{'no' if n == 2 else 'yes'}"),
        ("path,label,is_test", lambda p, c, k, n: f"{p},{c},{n == 2}"),
        ("path,label,Split", lambda p, c, k, n: f"{p},{c},{'DEV' if n == 2 else 'Training'}"),
        ("path,label,data_set", lambda p, c, k, n: f"{p},{c},{'evaluation' if n == 2 else 'train'}"),
        ("path,label,usage", lambda p, c, k, n: f"{p},{c},{'test' if n == 2 else 'train'}"),
        ("path,label,fold", lambda p, c, k, n: f"{p},{c},{'val' if n == 2 else 'train'}"),
        ("path,label,type", lambda p, c, k, n: f"{p},{c},{'val' if n == 2 else 'train'}"),
        ("path,label,split,is_valid", lambda p, c, k, n: f"{p},{c},{'val' if n == 2 else 'train'},{n == 2}"),
    ],
)
def test_split_is_the_one_that_the_table_says(table: Table, head: str, line: Callable[..., str]) -> None:
    images = open_dataset(table(head, line))
    assert classes_of(images) == RIGHT
    assert {item.ref for item in images.items if item.split == "val"} == {"2.png", "5.png", "8.png"}


def test_test_lines_without_labels_are_left_alone(table: Table) -> None:
    path = table(
        "path,label,split", lambda p, c, k, n: f"{p},{'' if n == 2 else c},{'test' if n == 2 else 'train'}"
    )
    images = open_dataset(path)
    assert len(images) == 6
    assert len(images.skipped) == 3
    # With no judge named, the content decides.
    assert all(min(sides.values()) == 1 for sides in images.counts().values())


def test_lines_that_are_all_of_one_side(table: Table) -> None:
    train = open_dataset(table("path,label,is_valid", lambda p, c, k, n: f"{p},{c},False"))
    assert {item.split for item in train.items} == {"train", "val"}
    val = open_dataset(table("path,label,split", lambda p, c, k, n: f"{p},{c},test"))
    assert {item.split for item in val.items} == {"val"}


def test_table_in_a_val_folder_is_not_split(table: Table, tmp_path: Path) -> None:
    path = table("file_name,label", lambda p, c, k, n: f"{p},{c}", "metadata.csv")
    for name, sides in (("test", {"val"}), ("train", {"train", "val"})):
        folder = tmp_path / name
        folder.mkdir()
        for file in (path, *tmp_path.glob("*.png")):
            (folder / file.name).write_bytes(file.read_bytes())
        assert {item.split for item in open_dataset(folder / "metadata.csv").items} == sides


def test_folders_of_the_paths_say_the_split(table: Table, tmp_path: Path, picture: Picture) -> None:
    for place in range(4):
        for side in ("train", "valid"):
            (tmp_path / "set" / side).mkdir(parents=True, exist_ok=True)
            (tmp_path / "set" / side / f"{place}.png").write_bytes(picture(place))
    path = tmp_path / "index.csv"
    lines = [f"set/{side}/{n}.png,{'ab'[n % 2]}" for side in ("train", "valid") for n in range(4)]
    path.write_text("\n".join(["path,label", *lines]))
    images = open_dataset(path)
    assert {item.ref: item.split for item in images.items} == {
        f"set/{side}/{n}.png": split
        for side, split in (("train", "train"), ("valid", "val"))
        for n in range(4)
    }


def test_first_line_is_no_header_where_it_names_an_image(table: Table, tmp_path: Path) -> None:
    path = table("", lambda p, c, k, n: f"{p},{('image', 'id')[k % 2]}")
    assert len(open_dataset(path)) == 9


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("path,label,label_name", lambda p, c, k, n: f"{p},{k},{c}"),
        ("path,class_name,class", lambda p, c, k, n: f"{p},{c},{k}"),
        ("path,class,class_name", lambda p, c, k, n: f"{p},{k}.0,{c}"),
        ("class id,filepaths,labels,scientific name", lambda p, c, k, n: f"{k}.0,{p},{c},FLOS {c}"),
        ("path,label,name", lambda p, c, k, n: f"{p},{k},{c}"),
        ("path,label,species", lambda p, c, k, n: f"{p},{k},{c}"),
        ("path,category_id,category", lambda p, c, k, n: f"{p},{k + 1},{c}"),
        ("path,category_id,category", lambda p, c, k, n: f"{p},{k}{'.0' * (n > 1)},{c}"),
        ("path,dir,file_name,label", lambda p, c, k, n: f"img,x,{p},{c}"),
    ],
)
def test_names_and_not_the_numbers_beside_them(table: Table, head: str, line: Callable[..., str]) -> None:
    images = open_dataset(table(head, line))
    assert classes_of(images) == RIGHT
    assert images.labels == CLASSES


def test_numbers_beside_names_are_the_order(table: Table, tmp_path: Path) -> None:
    images = open_dataset(table("path,label,label_name", lambda p, c, k, n: f"{p},{2 - k},{c}"))
    assert images.labels == CLASSES[::-1]
    # A labels.txt that agrees has the classes that no image shows, too.
    (tmp_path / "labels.txt").write_text("tulip\nrose\ndaisy\norchid\n")
    assert open_dataset(tmp_path / "index.csv").labels == ("tulip", "rose", "daisy", "orchid")


@pytest.mark.parametrize("number", ["{k}", "{k}.0", "{k}."])
def test_numbers_of_any_spelling_take_their_names_from_labels_txt(
    table: Table, tmp_path: Path, number: str
) -> None:
    path = table("path,label", lambda p, c, k, n: f"{p},{number.format(k=k)}")
    assert open_dataset(path).labels == ("0", "1", "2")
    (tmp_path / "labels.txt").write_text("\n".join(CLASSES))
    assert classes_of(open_dataset(path)) == RIGHT


def test_column_called_label_wins_over_others_and_says_so(table: Table) -> None:
    images = open_dataset(table("path,category,label", lambda p, c, k, n: f"{p},{'ab'[n % 2]},{c}"))
    assert classes_of(images) == RIGHT
    assert images.skipped == ("column category: not read, label is the label",)


def test_one_hot_columns(table: Table) -> None:
    def line(p: str, c: str, k: int, n: int) -> str:
        return f"{p}, {int(k == 0)}, {int(k == 2)}, {int(k == 1)}, 0"

    images = open_dataset(table("filename, daisy, tulip, rose, Unlabeled", line, "_classes.csv"))
    assert images.labels == ("daisy", "tulip", "rose")
    assert classes_of(images) == RIGHT
    floats = open_dataset(
        table(
            "image,daisy,rose,tulip",
            lambda p, c, k, n: ",".join([p, *(f"{float(k == m)}" for m in range(3))]),
        )
    )
    assert classes_of(floats) == RIGHT


def test_metadata_jsonl(table: Table) -> None:
    path = table("", lambda p, c, k, n: json.dumps({"n": [n], "file_name": p, "label": c}), "metadata.jsonl")
    assert classes_of(open_dataset(path)) == RIGHT
    numbers = table("", lambda p, c, k, n: json.dumps({"file_name": p, "label": k}), "metadata.jsonl")
    assert open_dataset(numbers).labels == ("0", "1", "2")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("sep=;\r\npath;label", "{};{}"),
        ("path|label", "{}|{}"),
        ("path\tlabel", "{}\t{}"),
        ('"path", "label"', '"{}", "{}"'),
    ],
)
def test_separators_and_encodings_of_spreadsheets(
    table: Table, tmp_path: Path, head: str, line: str, encoding: str
) -> None:
    path = table("path,label", lambda p, c, k, n: f"{p},{c}")
    path.write_bytes("\r\n".join([head, *(line.format(*pair) for pair in RIGHT.items())]).encode(encoding))
    assert classes_of(open_dataset(path)) == RIGHT


@pytest.mark.parametrize("nothing", ["", "nan", "NaN", "<NA>", "NA", "N/A", "null", "None", "NaT"])
def test_missing_label_is_refused(table: Table, nothing: str) -> None:
    path = table("path,label,n", lambda p, c, k, n: f"{p},{nothing if (k, n) == (2, 1) else c},1")
    with pytest.raises(DataError, match=r"a path and a label. Received: line 9 of .* Complete or remove it"):
        open_dataset(path)


def test_class_called_none_in_lower_case_is_a_class(table: Table) -> None:
    images = open_dataset(table("path,label", lambda p, c, k, n: f"{p},{'none' if k == 0 else c}"))
    assert images.labels == ("none", "rose", "tulip")


def test_class_in_both_normal_forms_is_one(table: Table) -> None:
    accents = ("\u00e9", "e\u0301", "\u00e9")
    images = open_dataset(table("path,label", lambda p, c, k, n: f"{p},{accents[n]}{c}"))
    assert len(images.labels) == 3


@pytest.mark.parametrize(
    ("head", "line", "words"),
    [
        ("path,label,fold", lambda p, c, k, n: f"{p},{c},{n}", "column 'fold' .* with 0, 1, 2 and no split"),
        ("path,label,split", lambda p, c, k, n: f"{p},{c},{n}", "must be train or val. Received: '0' at line 2"),
        ("path,label,is_valid", lambda p, c, k, n: f"{p},{c},{n}", "True or False. Received: '2' at line 4"),
        ("path,label,is_valid,is_train", lambda p, c, k, n: f"{p},{c},1,1", "in one split. Received: train and val"),
        ("path,label,split,is_valid", lambda p, c, k, n: f"{p},{c},train,{n}", "Received: train and val at line 3"),
        ("path,class,category", lambda p, c, k, n: f"{p},{c},{'ab'[n % 2]}", "Received: 'class' and 'category'"),
        ("path,label,class_name", lambda p, c, k, n: f"{p},{k % 2},{c}", "Received: 'label' and 'class_name'"),
        ("path,label", lambda p, c, k, n: f"{p},{c}{'|daisy' if n else ''}", r"one class. Received: 'daisy\|daisy'"),
        ("path,labels", lambda p, c, k, n: f"{p},{c}{' daisy' if n == 2 and k else ''}", "Received: 'rose daisy'"),
        ("path,label", lambda p, c, k, n: f"{p},\"['{c}']\"", "one class. Received: \"\\['daisy'\\]\""),
        ("path,a,b,c", lambda p, c, k, n: f"{p},1,{int(n == 1)},0", "one class. Received: a, b at line 3"),
        ("path,a,b,c", lambda p, c, k, n: f"{p},0,{int(n == 0)},0", "one class. Received: none at line 3"),
        ("path,label", lambda p, c, k, n: f"{p},daisy", "at least two classes"),
        ('"a\nb",c', lambda p, c, k, n: f"no {p},{c}", "Received: a b, c in"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_a_one_line_error(
    table: Table, head: str, line: Callable[..., str], words: str
) -> None:
    with pytest.raises(DataError, match=words) as caught:
        open_dataset(table(head, line))
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_image_on_both_sides_is_refused(table: Table) -> None:
    path = table("path,label,split", lambda p, c, k, n: f"{p},{c},{'val' if n == 2 else 'train'}")
    with path.open("a") as file:
        file.write("0.png,daisy,val\n")
    with pytest.raises(DataError, match=r"in one split. Received: 0.png as 'train' and 'val' \(line 11\)"):
        open_dataset(path)


@pytest.mark.parametrize(
    "text", ["[1]\n", "{\n", '{"file_name": "a\\ud800.png", "label": "a"}\n', "[" * 100_000]
)
def test_json_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "metadata.jsonl").write_text(text)
    with pytest.raises(DataError, match="Received:"):
        open_dataset(tmp_path / "metadata.jsonl")


def test_cure_of_json_lines_is_no_header(tmp_path: Path) -> None:
    for text in ('{"file_name": "a.png", "label": 1', ""):
        (tmp_path / "metadata.jsonl").write_text(text)
        with pytest.raises(DataError, match="Write one object per line"):
            open_dataset(tmp_path / "metadata.jsonl")


HEADS = (
    "path",
    "id",
    "label",
    "class",
    "class_name",
    "name",
    "split",
    "is_valid",
    "is_train",
    "fold",
    "",
    "a\nb",
    "é",
)
CELLS = (
    "0.png", "1", "8", "x/0.png", "../1.png", "/2.png", "C:\\3.png", "file://[", "\0", "a", "b", "a|b", "[a]", "0",
    "1.0", "-1", "9" * 25, "nan", "", "train", "val", "test", "True", "é" * 300, '"',
)  # fmt: skip


@settings(
    max_examples=150, deadline=None, derandomize=True, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    st.lists(st.sampled_from(HEADS), min_size=1, max_size=5),
    st.lists(st.lists(st.sampled_from(CELLS), min_size=1, max_size=6), max_size=6),
    st.sampled_from(("index.csv", "_classes.csv", "metadata.jsonl")),
)
def test_any_table_is_a_set_or_a_short_error_of_one_line(
    table: Table, tmp_path: Path, head: list[str], rows: list[list[str]], name: str
) -> None:
    if not (tmp_path / "0.png").exists():
        table("path,label", lambda p, c, k, n: p)
    lines = [",".join(f'"{cell}"' for cell in row) for row in [["path", "label", *head], *rows]]
    if name.endswith("jsonl"):
        lines = [json.dumps(dict(zip(["path", "label", *head], row, strict=False))) for row in rows]
    (tmp_path / name).write_text("\n".join(lines), "utf-8")
    said = outcome(tmp_path / name)
    # The last one is what opening says of errors that nobody foresaw.
    assert said is None or ("Received:" in said and "\n" not in said and "must be readable" not in said)
    assert len(said or "") < 700


def outcome(path: Path) -> str | None:
    """What opening a table says; None where it opens."""
    try:
        assert len(open_dataset(path).labels) > 1
    except DataError as error:
        return str(error)
    return None

"""Checks of handmade .onnx files: their class order, their range, their own labels, and no page unasked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from edge_runtime.common.errors import DataError, UnknownNameError, UsageError
from edge_runtime.dataset import class_order
from exporter import CheckConfig
from exporter.check_cli import check
from exporter.checking import CheckResult, run_check

TWELVE = tuple(str(number) for number in range(1, 13))
TEXT = tuple(sorted(TWELVE))
EACH = 13
SIZE = 8


def photos_of(folder: Path, names: Sequence[str], each: int = EACH) -> Path:
    """Plain gray images, each class darker than the next in the order of ``names``."""
    rng = np.random.default_rng(1)
    for place, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index in range(each):
            gray = level(place, len(names)) + rng.normal(0, 8, (SIZE, SIZE, 3))
            pixels = np.clip(np.rint(gray), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{index}.png")
    return folder


def level(place: int, classes: int) -> float:
    return 12.0 + 230.0 * place / (classes - 1)


def write_onnx(
    path: Path, names: Sequence[str], order: Sequence[str], *, low: float = 0.0, high: float = 255.0,
    labels: Sequence[str] | None = None, key: str = "labels", constant: bool = False,
) -> Path:  # fmt: skip
    """A classifier by mean brightness, right for :func:`photos_of` with outputs in ``order``.

    It takes pixels in low..high, and one input size. ``constant`` names the first output for all.
    """
    levels = np.array([level(list(names).index(name), len(names)) for name in order], dtype=np.float32)
    sharpness = 0.0 if constant else 0.05
    bias = -sharpness * levels**2
    bias[0] += 3.0 if constant else 0.0
    values = {
        "axis": np.array([1]),
        "factor": np.array(255.0 / (high - low), dtype=np.float32),
        "shift": np.array(-low * 255.0 / (high - low), dtype=np.float32),
        "slope": (2 * sharpness * levels)[None],
        "bias": bias,
    }
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "factor"], ["wide"]),
        helper.make_node("Add", ["wide", "shift"], ["gray"]),
        helper.make_node("Unsqueeze", ["gray", "axis"], ["column"]),
        helper.make_node("Mul", ["column", "slope"], ["tilted"]),
        helper.make_node("Add", ["tilted", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["scores"], axis=1),
    ]
    graph = helper.make_graph(
        nodes, "brightness",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", len(order)])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )  # fmt: skip
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    if labels is not None:
        helper.set_model_props(
            proto, {key: json.dumps(list(labels)) if key == "labels" else str(dict(enumerate(labels)))}
        )
    onnx.save(proto, path)
    return path


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Class folders 1 to 12."""
    return photos_of(tmp_path_factory.mktemp("numbers") / "photos", TWELVE)


def checked(
    reference: Path,
    candidate: Path,
    data: Path,
    *,
    labels: tuple[str, ...] | None = None,
    page: bool = False,
    **options: Any,
) -> CheckResult:
    options = {"quick": True, "split": "all", **options}
    if labels is not None:
        options["labels"] = candidate.with_suffix(".txt")
        options["labels"].write_text("\n".join(labels), "utf-8")
    config = CheckConfig(reference=reference, candidate=candidate, data=data, **options)
    return run_check(config, page=page)


def right_classes(found: CheckResult) -> bool:
    """Whether every class is right under its own name."""
    return all(row.top1 > 0.9 for row in found.report.classes)


@pytest.mark.parametrize("order", [TEXT, TWELVE])
def test_order_of_numbered_folders_is_found(order: tuple[str, ...], numbers: Path, tmp_path: Path) -> None:
    full = write_onnx(tmp_path / "full.onnx", TWELVE, order)
    found = checked(full, full, numbers)
    assert found.report.verdict == "pass"
    assert [row.label for row in found.report.classes] == list(order)
    assert right_classes(found)
    words = "as text (1, 10, 11, 12, ...)" if order == TEXT else "by number (1, 2, 3, 4, ...)"
    (note,) = found.report.notes
    assert f"100.0 % sorted {words}" in note


def test_constant_candidate_fails_beside_the_right_order(numbers: Path, tmp_path: Path) -> None:
    """It names "1" for every image, which is output 0 in either order."""
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    constant = write_onnx(tmp_path / "constant.onnx", TWELVE, TEXT, constant=True)
    found = checked(full, constant, numbers)
    assert found.report.verdict == "fail"
    assert found.report.reference.top1 > 0.9


def test_constant_reference_is_refused(numbers: Path, tmp_path: Path) -> None:
    constant = write_onnx(tmp_path / "constant.onnx", TWELVE, TEXT, constant=True)
    with pytest.raises(DataError, match=r"8\.33 % on 156 images of 12 classes, where guessing gives 8\.33 %"):
        checked(constant, constant, numbers)
    with pytest.raises(UsageError, match="--labels FILE"):
        checked(constant, constant, numbers, weak_reference="allow")
    assert (
        checked(constant, constant, numbers, weak_reference="allow", labels=TWELVE).report.verdict == "pass"
    )


def test_few_images_do_not_settle_the_order(tmp_path: Path) -> None:
    """Four images of each of two classes that change places."""
    names = ("1", "2", "10")
    photos = photos_of(tmp_path / "photos", names, each=4)
    full = write_onnx(tmp_path / "full.onnx", names, ("1", "10", "2"))
    with pytest.raises(UsageError, match=r"12 images do not settle: .*--labels FILE"):
        checked(full, full, photos)
    assert right_classes(checked(full, full, photos, labels=("1", "10", "2")))


@pytest.mark.parametrize(
    "split", [("2_x", "10_x", "1_x"), ("apple", "Zebra", "bear"), ("étoile", "soleil", "lune")]
)
def test_rare_order_is_used_only_where_it_wins(split: tuple[str, ...], tmp_path: Path) -> None:
    """Keras and torchvision sort by code point, as this project does; lists by hand may not."""
    rare = {
        "1_x": ("1_x", "2_x", "10_x"),
        "bear": ("apple", "bear", "Zebra"),
        "lune": ("étoile", "lune", "soleil"),
    }
    photos = photos_of(tmp_path / "photos", split)
    for order, words in ((tuple(sorted(split)), "as text"), (rare[split[2]], "")):
        full = write_onnx(tmp_path / f"full{len(words)}.onnx", split, order)
        found = checked(full, full, photos)
        assert [row.label for row in found.report.classes] == list(order)
        assert right_classes(found)
        assert words in found.report.notes[0]


def test_names_that_all_tools_sort_alike_need_no_note(tmp_path: Path) -> None:
    names = ("ash", "birch", "oak")
    photos = photos_of(tmp_path / "photos", names)
    full = write_onnx(tmp_path / "full.onnx", names, names)
    assert checked(full, full, photos).report.notes == ()


def test_labels_beside_a_csv_say_the_order_themselves(tmp_path: Path) -> None:
    """A list that was written by hand is no way of sorting."""
    names = ("10", "9", "8")
    photos_of(tmp_path / "photos", names)
    lines = [f"photos/{name}/{i}.png,{place}" for place, name in enumerate(names) for i in range(EACH)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(lines))
    (tmp_path / "labels.txt").write_text("\n".join(names))
    full = write_onnx(tmp_path / "full.onnx", names, names)
    found = checked(full, full, tmp_path / "list.csv")
    assert found.report.notes == ()
    assert [row.label for row in found.report.classes] == list(names)


def test_labels_of_a_csv_without_names_are_found(numbers: Path, tmp_path: Path) -> None:
    lines = [f"{numbers}/{name}/{index}.png,{name}" for name in TWELVE for index in range(EACH)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(lines))
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    assert right_classes(checked(full, full, tmp_path / "list.csv"))


@pytest.mark.parametrize("key", ["labels", "names"])
@pytest.mark.parametrize("carrier", ["reference", "candidate"])
def test_labels_in_a_file_are_used(key: str, carrier: str, numbers: Path, tmp_path: Path) -> None:
    order = TWELVE[::-1]
    bare = write_onnx(tmp_path / "bare.onnx", TWELVE, order)
    named = write_onnx(tmp_path / "named.onnx", TWELVE, order, labels=order, key=key)
    found = checked(named, bare, numbers) if carrier == "reference" else checked(bare, named, numbers)
    assert [row.label for row in found.report.classes] == list(order)
    assert right_classes(found)
    assert found.report.notes == ("the class names are those in named.onnx",)


def test_labels_in_a_file_that_are_other_names_are_left_out(numbers: Path, tmp_path: Path) -> None:
    others = tuple(f"n{number:08}" for number in range(12))
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT, labels=others)
    found = checked(full, full, numbers)
    assert right_classes(found)
    assert "not the data's class names" in found.report.notes[0]
    assert "sorted as text" in found.report.notes[-1]


def test_two_files_that_name_their_outputs_differently(numbers: Path, tmp_path: Path) -> None:
    one = write_onnx(tmp_path / "one.onnx", TWELVE, TEXT, labels=TEXT)
    two = write_onnx(tmp_path / "two.onnx", TWELVE, TEXT, labels=TWELVE)
    with pytest.raises(UsageError, match=r"output 1 is '10' in .*one\.onnx and '2' in .*two\.onnx.*--labels"):
        checked(one, two, numbers)


def test_more_labels_than_the_data_has_classes(numbers: Path, tmp_path: Path) -> None:
    """A sample of the classes: only a file's own labels can say which outputs they are."""
    names = ("0", *TWELVE)
    photos = photos_of(tmp_path / "photos", names)
    for image in (photos / "0").iterdir():
        image.unlink()
    (photos / "0").rmdir()
    full = write_onnx(tmp_path / "full.onnx", names, names, labels=names)
    found = checked(full, full, photos, missing_classes="allow")
    assert found.report.missing_classes == ("0",)
    assert right_classes(found)


@pytest.mark.parametrize("given", ["-1..1", "0..1"])
def test_wrong_range_names_the_right_one(given: str, tmp_path: Path) -> None:
    """The candidate takes -1..1 or 0..1, the reference raw pixels: --input-range holds for both."""
    names = ("ash", "birch", "oak", "plane", "zelkova")
    photos = photos_of(tmp_path / "photos", names)
    full = write_onnx(tmp_path / "full.onnx", names, names)
    low = -1.0 if given == "-1..1" else 0.0
    small = write_onnx(tmp_path / "small.onnx", names, names, low=low, high=1.0)
    arguments = ["--quick", "--split", "all", "--inconclusive", "pass", f"--input-range={given}",
                 "--reference", str(full), "--candidate", str(small), "--data", str(photos)]  # fmt: skip
    result = CliRunner().invoke(check, arguments)
    error = result.exception
    assert isinstance(error, DataError)
    assert error.exit_code == 2
    assert "balanced accuracy of 20.00 % on 65 images of 5 classes" in str(error)
    assert "With --reference-range 0..255 it would be right on 100 %." in str(error)
    for option in ("--labels", "--input-range", "--reference-range", "--weak-reference allow"):
        assert option in str(error)
    assert CliRunner().invoke(check, [*arguments, "--reference-range", "0..255"]).exception is None
    allowed = CliRunner().invoke(check, [*arguments, "--weak-reference", "allow"])
    assert "full model" in allowed.output
    assert "20.00 %" in allowed.output


def test_wrong_labels_file_is_noticed(numbers: Path, tmp_path: Path) -> None:
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    with pytest.raises(
        DataError, match=r"With --labels sorted as text \(1, 10, 11, 12, \.\.\.\) it would be right"
    ):
        checked(full, full, numbers, labels=class_order(TWELVE))


@pytest.mark.parametrize("option", ["weak_reference", "missing_classes"])
def test_misspelt_permission_is_refused(option: str, numbers: Path, tmp_path: Path) -> None:
    """Python callers have no parser in front of them: a typing error must not switch a check off."""
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    with pytest.raises(UnknownNameError, match="eror"):
        checked(full, full, numbers, **{option: "eror"})


def test_page_is_made_only_where_it_is_asked_for(numbers: Path, tmp_path: Path) -> None:
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    assert checked(full, full, numbers).page is None
    page = checked(full, full, numbers, page=True).page
    assert page is not None
    assert "sorted as text" in page


@pytest.mark.parametrize("report", [False, True])
def test_bare_check_loads_no_plots(report: bool, numbers: Path, tmp_path: Path) -> None:
    """Matplotlib takes longer to load than a small model takes to be checked."""
    full = write_onnx(tmp_path / "full.onnx", TWELVE, TEXT)
    arguments = [
        "check",
        "--reference",
        str(full),
        "--candidate",
        str(full),
        "--data",
        str(numbers),
        "--split",
        "all",
        "--quick",
    ]
    arguments += ["--report", str(tmp_path / "page.html")] if report else []
    script = (
        "import sys\nfrom snapship.cli import main\n"
        f"sys.argv = ['snapship', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print([name for name in ('matplotlib', 'jinja2', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == ("['matplotlib', 'jinja2']" if report else "[]")
    assert (tmp_path / "page.html").exists() is report

"""``predict``, ``selftest`` and ``info`` on a real bundle, through the front door."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from edge_runtime import Classifier
from edge_runtime.bundle.manifest import read_manifest
from edge_runtime.engines import available
from snapship.cli import cli

ROOT = Path(__file__).resolve().parents[4]


def run(*words: str | Path, stdin: bytes = b"") -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=stdin)


def edit(path: Path, change: Callable[[Any], None]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


@pytest.fixture
def image(digits_bundle: Path) -> Path:
    return digits_bundle / "golden" / "0.png"


def test_predict_prints_one_aligned_line_an_image(digits_bundle: Path, image: Path) -> None:
    shown = run("predict", digits_bundle, image, digits_bundle / "golden" / "1.png", "--top-k", "2")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert len(lines) == 2
    with Classifier.open(digits_bundle) as classifier:
        top = classifier.classify(image).top
    assert lines[0].split()[:3] == [str(image), top.label, f"{top.score:.4f}"]
    assert lines[0].index(" 0.") == lines[1].index(" 0.")


def test_predict_json_is_one_object_a_line_with_full_scores(digits_bundle: Path, image: Path) -> None:
    shown = run("predict", digits_bundle, image, "/nowhere.png", image, "--json", "--top-k", "3")
    assert shown.exit_code == 2
    first, second, third = map(json.loads, shown.stdout.splitlines())
    with Classifier.open(digits_bundle) as classifier:
        expected = classifier.classify(image, top_k=3).to_dict()
    assert first == third == {"image": str(image), **expected}
    assert set(second) == {"image", "error"}
    assert second["image"] == "/nowhere.png"


@pytest.mark.parametrize("artifact", ["tflite-fp32", "tflite-int8", "onnx-fp32"])
def test_predict_takes_the_artifact_that_is_named(digits_bundle: Path, image: Path, artifact: str) -> None:
    if artifact.startswith("onnx") and not available("onnxruntime"):
        pytest.skip("onnxruntime is not installed")
    shown = run("predict", digits_bundle, image, "--artifact", artifact, "--json", "--workers", "2")
    with Classifier.open(digits_bundle, artifact) as classifier:
        assert json.loads(shown.stdout)["score"] == classifier.classify(image).top.score


def test_predict_searches_folders_in_order_and_takes_images_only(digits_bundle: Path, tmp_path: Path) -> None:
    source = digits_bundle / "golden" / "0.png"
    for name in ("b/2.PNG", "b/1.png", "a.jpeg", "notes.txt", ".hidden.png", "c/deep/er/3.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, tmp_path / name)
    shown = run("predict", digits_bundle, tmp_path, "--json")
    assert shown.exit_code == 0
    found = [
        Path(json.loads(line)["image"]).relative_to(tmp_path).as_posix() for line in shown.stdout.splitlines()
    ]
    assert found == ["a.jpeg", "b/1.png", "b/2.PNG", "c/deep/er/3.png"]


def test_predict_takes_a_named_file_whatever_its_suffix(
    digits_bundle: Path, image: Path, tmp_path: Path
) -> None:
    odd = tmp_path / "scan [1] ü.data"
    shutil.copy(image, odd)
    shown = run("predict", digits_bundle, odd)
    assert shown.exit_code == 0
    assert str(odd) in shown.stdout


def test_predict_reads_one_image_from_stdin(digits_bundle: Path, image: Path) -> None:
    shown = run("predict", digits_bundle, "-", "--json", stdin=image.read_bytes())
    assert shown.exit_code == 0
    piped, named = json.loads(shown.stdout), json.loads(run("predict", digits_bundle, image, "--json").stdout)
    assert piped | {"image": ""} == named | {"image": ""}
    assert run("predict", digits_bundle, "-").exit_code == 2
    assert "twice" in run("predict", digits_bundle, "-", "-").stderr


def test_selftest_passes_and_prints_every_replay(digits_bundle: Path) -> None:
    shown = run("selftest", digits_bundle)
    assert shown.exit_code == 0, shown.output
    assert "Passed: " in shown.stdout
    assert "golden/0.png" in shown.stdout
    record = json.loads(run("selftest", digits_bundle, "--json").stdout)
    assert record["passed"] is True
    assert {replay["failed"] for replay in record["replays"]} == {None}


def test_selftest_names_the_stage_and_fails_the_build(own_digits_bundle: Path) -> None:
    with (own_digits_bundle / "golden" / "0.png").open("ab") as file:
        file.write(b"\0")
    failed = run("selftest", own_digits_bundle)
    assert failed.exit_code == 1
    assert "file differs" in failed.stdout
    assert failed.stderr.startswith("Error: Every golden example must match the export. Received: ")
    assert failed.stderr.count("\n") == 1
    record = json.loads(run("selftest", own_digits_bundle, "--artifact", "tflite-fp32", "--json").stdout)
    assert record["passed"] is False
    assert {replay["artifact"] for replay in record["replays"]} == {"tflite-fp32"}


def test_without_an_engine_it_is_the_environment_s_fault(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: False)
    for command in ("selftest", "bench"):
        failed = run(command, digits_bundle)
        assert failed.exit_code == 4
        assert "Run: pip install 'snapship'" in failed.stderr
        failed = run(command, digits_bundle, "--engine", "tflite-runtime")
        assert failed.exit_code == 4
        assert "Run: pip install tflite-runtime 'numpy<2'" in failed.stderr
        failed = run(command, digits_bundle, "--engine", "onnxruntime", "--artifact", "tflite-int8")
        assert failed.exit_code == 4
        assert "engine onnxruntime for tflite-int8. Pass another" in failed.stderr


def test_selftest_does_not_skip_a_named_artifact(
    digits_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge_runtime.engines.selection.available", lambda engine: engine == "litert")
    words = ("selftest", digits_bundle, "--artifact", "onnx-fp32", "--artifact", "tflite-fp32")
    assert run(*words).exit_code == 4
    everything = run("selftest", digits_bundle)
    assert everything.exit_code == 0
    assert "Skipped, no installed engine runs them: onnx-fp32" in everything.stdout


def test_info_shows_the_bundle_and_verifies_it(digits_bundle: Path) -> None:
    shown = run("info", digits_bundle)
    assert shown.exit_code == 0, shown.output
    for words in ("16 x 16", "grayscale", "10: 0, 1, 2, 3, 4, ...", "tflite-int8", "Verified: "):
        assert words in shown.stdout
    manifest = (digits_bundle / "manifest.json").read_bytes()
    assert read_manifest(run("info", digits_bundle, "--json").stdout_bytes) == read_manifest(manifest)


@pytest.mark.parametrize("name", ["digits_int8.tflite", "golden/0.png", "golden/golden.json"])
@pytest.mark.parametrize("option", [(), ("--json",)])
def test_info_refuses_a_changed_file(own_digits_bundle: Path, name: str, option: tuple[str, ...]) -> None:
    with (own_digits_bundle / name).open("ab") as file:
        file.write(b"\0")
    failed = run("info", own_digits_bundle, *option)
    assert failed.exit_code == 2
    assert name in failed.stderr
    assert "Verified" not in failed.stdout


# Bad input, in real processes: one line, exit code 2, no traceback.


def process(*words: str | Path, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "snapship", *map(str, words)],
        capture_output=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **options,
    )


def refused(*words: str | Path, code: int = 2) -> str:
    done = process(*words)
    # LiteRT greets on stderr when it loads a model; there is no switch for it.
    lines = [line for line in done.stderr.decode().splitlines() if not line.startswith("INFO: ")]
    assert done.returncode == code, done.stderr
    assert len(lines) == 1, lines
    assert lines[0].startswith("Error: ")
    return lines[0]


def truncated_jpeg(path: Path) -> Path:
    buffer = io.BytesIO()
    Image.effect_noise((64, 64), 90).save(buffer, "JPEG")
    path.write_bytes(buffer.getvalue()[:-400])
    return path


def test_bad_images_are_refused(digits_bundle: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.jpg"
    text.write_text("I am not a picture")
    empty = tmp_path / "empty.png"
    empty.touch()
    assert "must exist. Received: " in refused("predict", digits_bundle, tmp_path / "missing.jpg")
    assert "text that starts 'I am not" in refused("predict", digits_bundle, text)
    text.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert "a HEIC photo. Convert it to JPEG" in refused("predict", digits_bundle, text)
    assert "truncated or damaged" in refused("predict", digits_bundle, truncated_jpeg(tmp_path / "cut.jpg"))
    assert "0 bytes" in refused("predict", digits_bundle, empty)
    assert "Download it first" in refused("predict", digits_bundle, "https://example.org/cat.jpg")


def test_empty_name_is_refused(digits_bundle: Path, image: Path) -> None:
    for words in (
        ("predict", "", image), ("predict", digits_bundle, ""), ("predict", digits_bundle, "--watch", ""),
        ("selftest", ""), ("info", ""), ("bench", ""),
    ):  # fmt: skip
        assert "empty" in refused(*words)


def test_empty_folder_is_refused(digits_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    assert "A folder must hold images" in refused("predict", digits_bundle, tmp_path)


def test_good_images_go_on_after_a_bad_one(digits_bundle: Path, image: Path, tmp_path: Path) -> None:
    done = process("predict", digits_bundle, truncated_jpeg(tmp_path / "cut.jpg"), image)
    assert done.returncode == 2
    assert done.stdout.decode().startswith(str(image))
    assert b"Traceback" not in done.stderr


def test_bad_bundles_are_refused(own_digits_bundle: Path, image: Path, tmp_path: Path) -> None:
    manifest = own_digits_bundle / "manifest.json"
    good = manifest.read_text()
    assert "A bundle must exist" in refused("predict", tmp_path / "none", image)
    for command in (("info",), ("selftest",)):
        assert "A bundle must exist" in refused(*command, tmp_path / "none")
    assert "folder or a zip" in refused("info", image)

    edit(manifest, lambda record: record["artifacts"][0].update(sha256="0" * 64))
    assert "manifest 000000000000" in refused(
        "predict", own_digits_bundle, image, "--artifact", first_kind(good)
    )
    edit(manifest, lambda record: record.update(colour="red"))
    assert "colour" in refused("info", own_digits_bundle)
    manifest.write_text("{")
    assert "must follow its schema" in refused("info", own_digits_bundle)

    manifest.write_text(good)
    model = own_digits_bundle / json.loads(good)["artifacts"][0]["file"]
    model.write_bytes(b"")
    assert "0 bytes" in refused("predict", own_digits_bundle, image, "--artifact", first_kind(good))


def first_kind(manifest: str) -> str:
    return str(json.loads(manifest)["artifacts"][0]["kind"])


def test_unknown_names_are_refused_with_the_known_ones(digits_bundle: Path, image: Path) -> None:
    assert "tflite-int8" in refused("predict", digits_bundle, image, "--artifact", "tflite-int4")
    assert "onnxruntime" in refused("predict", digits_bundle, image, "--engine", "tensorrt")
    assert "Did you mean: predict" in refused("predit", digits_bundle, image)


def test_failed_artifact_is_the_gate_s_exit_code(own_digits_bundle: Path, image: Path) -> None:
    edit(own_digits_bundle / "manifest.json", lambda record: record["artifacts"][0].update(verdict="fail"))
    kind = first_kind((own_digits_bundle / "manifest.json").read_text())
    assert "--allow-failed" in refused("predict", own_digits_bundle, image, "--artifact", kind, code=1)
    assert process("predict", own_digits_bundle, image, "--artifact", kind, "--allow-failed").returncode == 0


def test_file_name_that_is_no_text_is_printed_escaped(
    digits_bundle: Path, image: Path, tmp_path: Path
) -> None:
    odd = os.fsencode(tmp_path) + b"/\xff\x1b[31m.png"
    Path(os.fsdecode(odd)).write_bytes(image.read_bytes())
    for option in ((), ("--json",)):
        done = process("predict", digits_bundle, tmp_path, *option)
        assert done.returncode == 0, done.stderr
        assert b"\x1b" not in done.stdout
        assert b"udcff" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("selftest", "--json"),
        ("info", "--json"),
        *(("predict", "--format", kind) for kind in ("jsonl", "csv", "parquet")),
    ],
)
def test_bundle_whose_path_is_no_text_answers(
    digits_bundle: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        shutil.copytree(digits_bundle, odd / "digits.bundle")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    command, *options = words
    if command == "predict":
        options = [odd / "digits.bundle" / "golden", "--out", odd / "answers", *options]
    done = process(command, odd / "digits.bundle", *options)
    assert done.returncode == 0, done.stderr
    assert command != "predict" or (odd / "answers").stat().st_size


def test_reader_that_leaves_early_is_no_error(digits_bundle: Path, tmp_path: Path) -> None:
    for index in range(40):
        shutil.copy(digits_bundle / "golden" / "0.png", tmp_path / f"{index:02}.png")
    with subprocess.Popen(
        [sys.executable, "-m", "snapship", "predict", str(digits_bundle), str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        stderr = child.stderr.read().decode()
        assert child.wait(60) == 141
    assert [line for line in stderr.splitlines() if not line.startswith("INFO: ")] == []


def test_interrupt_is_one_line_and_the_shells_code(digits_bundle: Path, image: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "snapship", "predict", str(digits_bundle), str(image), "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        # The first answer says that from here on it waits for the second image.
        assert str(image) in child.stdout.readline().decode()
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        lines = child.stderr.read().decode().splitlines()
        assert [line for line in lines if not line.startswith("INFO: ")] == ["Interrupted."]


def test_progress_on_the_terminal_leaves_stdout_alone(digits_bundle: Path, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index in range(30):
        shutil.copy(digits_bundle / "golden" / "0.png", images / f"{index:02}.png")
    (images / "30.png").write_text("no image")
    answers = tmp_path / "answers.txt"
    with answers.open("wb") as stdout:
        shown = on_terminal("predict", digits_bundle, images, stdout=stdout)
    assert len(answers.read_text().splitlines()) == 30
    assert "30/31" in shown or "31/31" in shown
    # The error has a line of its own, which the bar does not share.
    assert any(
        line.startswith("Error: An image must be one of") for line in re.split(r"[\r\n]|\x1b\[2K", shown)
    )


def test_terminal_gets_a_table(digits_bundle: Path) -> None:
    shown = on_terminal("predict", digits_bundle, digits_bundle / "golden")
    assert "│" in shown
    assert "█" in shown
    assert "next" in shown
    assert "│" in on_terminal("info", digits_bundle)


def on_terminal(*words: str | Path, stdout: BinaryIO | None = None) -> str:
    """What a command prints on a pseudo terminal: its stdout, or its stderr if stdout goes elsewhere."""
    leader, follower = pty.openpty()
    settings = {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", "snapship", *map(str, words)]
    streams = (follower, subprocess.DEVNULL) if stdout is None else (stdout, follower)
    with subprocess.Popen(command, stdout=streams[0], stderr=streams[1], env=os.environ | settings) as child:
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], 60)[0]:
            try:
                part = os.read(leader, 65536)
            except OSError:
                # Linux's way of saying that the other end is closed.
                break
            if not part:
                break
            shown += part
        child.wait(60)
    os.close(leader)
    return shown.decode()

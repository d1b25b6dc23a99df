"""The schema of a run folder: written, read back, and strict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import RunError
from trainer.run.run_json import (
    DATA_FILE,
    MODEL_FILE,
    RUN_FILE,
    DataItem,
    RunRecord,
    is_run,
    model_path,
    read_data,
    read_run,
)


def test_what_is_written_is_read_back(run_folder: Path, record: RunRecord) -> None:
    assert is_run(run_folder)
    assert read_run(run_folder) == record
    assert read_data(run_folder).items == (DataItem("a.png", 1, "val", "0" * 64),)
    text = (run_folder / RUN_FILE).read_text("utf-8")
    assert text.startswith('{\n  "schema_version": 1,\n')
    assert text.endswith("}\n")


def changed(folder: Path, file: str, change: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((folder / file).read_text("utf-8"))
    change(document)
    (folder / file).write_text(json.dumps(document), "utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda run: run.update(colour="red"), "unknown field `colour`"),
        (lambda run: run.pop("labels"), "missing required field `labels`"),
        (lambda run: run.pop("schema_version"), "missing required field `schema_version`"),
        (lambda run: run["metrics"].update(val_top1="good"), r"Expected `float`, got `str` - at `\$.metrics.val_top1"),
        (lambda run: run["input"].update(height=0), "1 to 8192 pixels"),
        (lambda run: run["input"].update(fit="squash"), "squash"),
        (lambda run: run.update(schema_version=2), "schema_version 1. Received: 2"),
        (lambda run: run.update(labels=[]), "without a label"),
        (lambda run: run.update(labels=["a", " "]), "' ' at index 1"),
    ],
)  # fmt: skip
def test_other_content_is_refused_by_field(
    run_folder: Path, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    changed(run_folder, RUN_FILE, change)
    with pytest.raises(RunError, match=words) as caught:
        read_run(run_folder)
    assert "Received:" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_newer_run_is_told_from_a_damaged_one(run_folder: Path) -> None:
    changed(run_folder, RUN_FILE, lambda run: run.update(schema_version=7, novelty=True))
    with pytest.raises(RunError, match="Received: 7"):
        read_run(run_folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_damaged_file_is_refused(run_folder: Path, content: bytes) -> None:
    for file, read in ((DATA_FILE, read_data), (RUN_FILE, read_run)):
        (run_folder / file).write_bytes(content)
        with pytest.raises(RunError, match=f"{file} must follow its schema"):
            read(run_folder)


def test_label_beyond_the_classes_is_refused(run_folder: Path) -> None:
    for label in (2, -1):
        changed(run_folder, DATA_FILE, lambda data, label=label: data["items"][0].update(label=label))
        with pytest.raises(RunError, match="must be one of its classes"):
            read_data(run_folder)


def test_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    for read in (read_run, read_data, model_path):
        with pytest.raises(RunError, match="which does not exist"):
            read(tmp_path / "nowhere")
        with pytest.raises(RunError, match=r"which has no run.json.*snapship train"):
            read(tmp_path)
    assert not is_run(tmp_path)
    assert not is_run("x" * 300)


def test_missing_files_are_named(run_folder: Path) -> None:
    with pytest.raises(RunError, match=r"model\.keras"):
        model_path(run_folder)
    (run_folder / MODEL_FILE).write_bytes(b"")
    with pytest.raises(RunError, match="or empty"):
        model_path(run_folder)
    (run_folder / MODEL_FILE).write_bytes(b"x")
    assert model_path(run_folder) == run_folder / MODEL_FILE
    (run_folder / DATA_FILE).unlink()
    with pytest.raises(RunError, match=r"must contain data\.json"):
        read_data(run_folder)


def test_class_names_of_older_runs_are_settled(run_folder: Path) -> None:
    names = [f" {name}\u00a0" for name in read_run(run_folder).labels]
    for file in ("run.json", "data.json"):
        changed(run_folder, file, lambda content: content.update(labels=names))
    assert (
        read_run(run_folder).labels == read_data(run_folder).labels == tuple(name.strip() for name in names)
    )

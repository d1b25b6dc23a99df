"""From data to a run folder: what it holds, and that nothing else is ever left."""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.common.errors import DataError, SnapshipError, UsageError
from edge_runtime.dataset import open_dataset
from trainer import Event, Run, TrainConfig, evaluate, read_data, read_run, train
from trainer.evaluation.evaluation import load_model
from trainer.run.run_json import RUN_FILES

Photos = Callable[..., Path]


def weights(run: Path) -> str:
    digest = hashlib.sha256()
    for values in load_model(run).get_weights():
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def test_digits_are_learnt_in_six_epochs(digits_run: Run) -> None:
    assert digits_run.evaluation.top1 >= 0.95
    assert digits_run.record.metrics.val_images == 385
    assert digits_run.record.metrics.train_images == 1412


def test_run_folder_holds_its_files_and_no_others(digits_run: Run) -> None:
    assert {path.name for path in digits_run.path.iterdir()} == set(RUN_FILES)
    assert all(path.stat().st_size for path in digits_run.path.iterdir())
    assert {path.name for path in digits_run.path.parent.iterdir()} == {"run", "cache"}


def test_run_record_is_read_back_with_every_default_filled_in(digits_run: Run) -> None:
    record = read_run(digits_run.path)
    assert record == digits_run.record
    assert record.labels == tuple("0123456789")
    assert record.input.shape == (28, 28, 1)
    assert record.data_source == "digits"
    assert record.data_sha256 == open_dataset("digits").sha256
    assert record.versions["keras"]
    expected = {"size": 28, "channels": 1, "weights": "none", "epochs": 6, "learning_rate": 2e-3,
                "patience": 8, "fine_tune_epochs": 0, "batch_size": 32, "seed": 0}  # fmt: skip
    assert {name: record.config[name] for name in expected} == expected


def test_data_record_names_every_image_and_its_side(digits_run: Run) -> None:
    images = open_dataset("digits")
    record = read_data(digits_run.path)
    assert record.labels == images.labels
    assert [(item.ref, item.label, item.split, item.sha256) for item in record.items] == [
        (item.ref, item.label, item.split, item.sha256) for item in images.items
    ]


def test_history_is_one_line_an_epoch(digits_run: Run) -> None:
    with (digits_run.path / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, 7)]
    assert max(float(row["val_accuracy"]) for row in rows) == pytest.approx(
        digits_run.evaluation.top1, abs=1e-5
    )


def test_report_is_one_file_that_opens_offline(digits_run: Run) -> None:
    text = (digits_run.path / "report.html").read_text("utf-8")
    assert text.count("<svg") >= 3
    assert not re.search(r"(src|href)=\"(?!data:)(https?:)?//", text)
    assert "train: up to 6 epochs, patience 8, learning rate 0.002" in text


def test_saved_model_is_the_measured_one(digits_run: Run, tmp_path: Path) -> None:
    again = evaluate(digits_run.path, "digits", cache_dir=tmp_path / "cache")
    assert again.top1 == digits_run.evaluation.top1
    assert again.loss == pytest.approx(digits_run.evaluation.loss, rel=1e-5)
    assert again.confusion == digits_run.evaluation.confusion
    assert sum(map(sum, again.confusion)) == again.n == 385


def test_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    runs = [
        train(TrainConfig(data="digits", model="small_cnn", out=tmp_path / name, epochs=1, seed=seed))
        for name, seed in (("a", 5), ("b", 5), ("c", 6))
    ]
    first, second, other = (weights(run.path) for run in runs)
    assert first == second
    assert first != other


@pytest.mark.parametrize("stage", ["data", "pixels", "model", "train", "evaluate"])
def test_interrupt_leaves_nothing(tmp_path: Path, photos: Photos, stage: str) -> None:
    folder = photos(cat=6, dog=6)

    def interrupt(event: Event, /) -> None:
        if event.stage == stage and (event.done or stage in ("model", "evaluate")):
            raise KeyboardInterrupt

    config = TrainConfig(data=folder, model="small_cnn", out=tmp_path / "runs" / "run", size=12, epochs=2,
                         cache_dir=tmp_path / "cache")  # fmt: skip
    with pytest.raises(KeyboardInterrupt):
        train(config, interrupt)
    assert {path.name for path in tmp_path.iterdir()} <= {"photos", "cache"}
    if (tmp_path / "cache").exists():
        assert not list((tmp_path / "cache").glob("*.tmp"))


def test_interrupted_training_says_that_it_can_go_on(tmp_path: Path, photos: Photos) -> None:
    config = TrainConfig(data=photos(cat=6, dog=6), model="small_cnn", out=tmp_path / "run", size=12, epochs=3,
                         cache_dir=tmp_path / "cache")  # fmt: skip
    said: list[str] = []

    def interrupt(event: Event, /) -> None:
        said.append(event.message)
        if event.metrics and event.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, interrupt)
    assert said[-1] == "interrupted: run the same command to resume"
    lines: list[str] = []
    train(config, lambda event: lines.append(event.message))
    assert any(line.startswith("train: resuming the interrupted run after epoch") for line in lines)


def test_broken_pictures_and_a_class_without_val_are_no_obstacle(tmp_path: Path, photos: Photos) -> None:
    folder = photos(train__cat=8, train__dog=8, train__cow=8, val__dog=4)
    (folder / "train" / "cat" / "3.png").write_text("not a picture")
    lines: list[str] = []
    config = TrainConfig(data=folder, model="small_cnn", out=tmp_path / "run", size=12, epochs=2)
    run = train(config, lambda event: lines.append(event.message))
    assert run.record.metrics.train_images == 23
    assert any(line.startswith("skipped train/cat/3.png") for line in lines)
    (skipped,) = read_data(run.path).skipped
    assert skipped.startswith("train/cat/3.png")
    by_name = {entry.label: entry for entry in run.evaluation.per_class}
    assert by_name["cat"].recall is None
    assert by_name["dog"].images == 4
    assert run.record.data_source == str(folder)
    assert "train/cat/3.png" in (run.path / "report.html").read_text("utf-8")


def test_overwrite_replaces_the_run_and_its_failure_keeps_the_old(tmp_path: Path, photos: Photos) -> None:
    options = {"data": photos(cat=5, dog=5), "model": "small_cnn", "out": tmp_path / "run", "size": 12}
    first = train(TrainConfig(**options, epochs=1))
    with pytest.raises(UsageError, match="--overwrite"):
        train(TrainConfig(**options, epochs=1))
    with pytest.raises(SnapshipError, match="Lower --learning-rate"):
        train(TrainConfig(**options, epochs=9, learning_rate=10.0, overwrite=True), exploding)
    assert read_run(first.path) == first.record
    second = train(TrainConfig(**options, epochs=1, seed=1, overwrite=True))
    assert read_run(second.path).seed == 1
    assert {path.name for path in tmp_path.iterdir()} == {"photos", "run"}


def exploding(event: Event, /) -> None:
    """Stands for a loss that runs away, which no small picture does for certain."""
    if event.stage == "train" and event.metrics:
        raise DataError("The loss must stay finite. Received: loss=nan. Lower --learning-rate.")


def test_data_without_val_is_refused(tmp_path: Path, photos: Photos) -> None:
    folder = photos(cat=3, dog=3)
    table = folder / "all.csv"
    table.write_text("path,label,split\ncat/0.png,cat,train\ndog/0.png,dog,train\n")
    with pytest.raises(DataError, match="must have val images"):
        train(TrainConfig(data=table, model="small_cnn", out=tmp_path / "run"))
    table.write_text("path,label,split\ncat/0.png,cat,train\ndog/0.png,dog,val\n")
    with pytest.raises(DataError, match="none for 'dog'"):
        train(TrainConfig(data=table, model="small_cnn", out=tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_pretrained_training_takes_both_phases(tmp_path: Path, photos: Photos) -> None:
    import keras

    bare = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    bare.save_weights(tmp_path / "own.weights.h5")
    config = TrainConfig(
        data=photos(cat=8, dog=8, cow=8), model="mobilenet_v2", out=tmp_path / "run", size=32, width=0.35,
        weights=tmp_path / "own.weights.h5", epochs=3, fine_tune_epochs=1, batch_size=8,
    )  # fmt: skip
    run = train(config)
    assert [step["name"] for step in run.record.config["phases"]] == ["head", "fine-tune"]
    with (run.path / "history.csv").open() as file:
        assert [row["phase"] for row in csv.DictReader(file)] == ["head"] * 3 + ["fine-tune"]
    assert evaluate(run.path, tmp_path / "photos").top1 == run.evaluation.top1


@pytest.mark.slow
def test_real_photos_with_real_weights(shared: Path, tmp_path: Path) -> None:
    config = TrainConfig(
        data=shared / "data" / "flowers", model="mobilenet_v2", out=tmp_path / "run", size=96, epochs=12,
        weights=shared / "weights" / "mobilenet_v2_1.0_224_imagenet_no_top.weights.h5", fine_tune_epochs=0,
    )  # fmt: skip
    run = train(config)
    assert run.evaluation.n == 400
    assert run.evaluation.top1 >= 0.72

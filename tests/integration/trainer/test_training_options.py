"""Options of training on real small data: each does what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_runtime.common.errors import UsageError
from trainer import Event, Run, TrainConfig, evaluate, train
from trainer.evaluation.evaluation import load_model

Photos = Callable[..., Path]


def digits(tmp_path: Path, progress: Callable[[Event], None] = lambda event: None, **options: Any) -> Run:
    known = {"data": "digits", "model": "lenet5", "out": tmp_path / "run", "epochs": 3}
    return train(TrainConfig(**{**known, **options}), progress)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_saves_a_float32_model(tmp_path: Path, precision: str) -> None:
    import keras

    run = digits(tmp_path, precision=precision)
    model = load_model(run.path)
    assert {layer.dtype_policy.name for layer in model.layers} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    assert run.evaluation.top1 > 0.8
    assert run.record.config["precision"] == precision


def test_half_size_epochs_hand_their_weights_on(tmp_path: Path) -> None:
    known = {"model": "cifar_cnn", "size": 16, "precision": "float32", "epochs": 1}
    small = digits(tmp_path, half_size_epochs=3, **known)
    rows = (small.path / "history.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows[1:]] == ["half-size"] * 3 + ["train"]
    assert [phase["name"] for phase in small.record.config["phases"]] == ["half-size", "train"]
    assert load_model(small.path).input_shape == (None, 16, 16, 1)
    alone = digits(tmp_path / "alone", **known)
    assert small.evaluation.loss < 0.7 * alone.evaluation.loss


def test_half_size_is_refused_where_the_network_would_be_another(tmp_path: Path, photos: Photos) -> None:
    with pytest.raises(UsageError, match=r"resnet18 has other layers at half the size.*at 64 pixels"):
        train(
            TrainConfig(
                data=photos(a=10, b=10), model="resnet18", size=64, out=tmp_path / "run", half_size_epochs=1
            )
        )


def test_logs_grow_an_epoch_at_a_time(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    seen: list[int] = []

    def count(event: Event) -> None:
        if event.metrics:
            seen.append(len((logs / "history.csv").read_text().splitlines()))

    run = digits(tmp_path, count, logs=logs, epochs=2)
    assert seen == [2, 3]
    assert (logs / "history.csv").read_text() == (run.path / "history.csv").read_text()
    (events,) = logs.glob("events.out.tfevents.*")
    data = events.read_bytes()
    assert b"train/val_accuracy" in data
    assert b"train/learning_rate" in data


def test_balanced_class_weights_find_more_of_the_rare_class(tmp_path: Path, photos: Photos) -> None:
    # Two classes that overlap: noise of different means, one of them ten times rarer.
    # In bfloat16, which some CPUs would take, so little difference is not learned in so few steps.
    import io

    from PIL import Image

    random = np.random.default_rng(0)
    for split, name, mean, count in (
        ("train", "common", 120, 160), ("train", "rare", 128, 16), ("val", "common", 120, 60), ("val", "rare", 128, 60)
    ):  # fmt: skip
        folder = tmp_path / "data" / split / name
        folder.mkdir(parents=True)
        for place in range(count):
            level = random.normal(mean, 6)
            picture = np.clip(random.normal(level, 3, (12, 12, 3)), 0, 255).astype(np.uint8)
            buffer = io.BytesIO()
            Image.fromarray(picture).save(buffer, "PNG")
            (folder / f"{place}.png").write_bytes(buffer.getvalue())
    recalls = {}
    for weights in ("none", "balanced"):
        run = train(
            TrainConfig(data=tmp_path / "data", model="small_cnn", size=12, out=tmp_path / weights, epochs=8,
                        augment="none", class_weights=weights, learning_rate=1e-3, precision="float32")
        )  # fmt: skip
        (rare,) = [entry for entry in run.evaluation.per_class if entry.label == "rare"]
        recalls[weights] = rare.recall or 0.0
    assert recalls["balanced"] > recalls["none"] + 0.2


def test_found_rate_trains(tmp_path: Path) -> None:
    said: list[str] = []
    run = digits(tmp_path, lambda event: said.append(event.message), learning_rate="auto")
    assert any(line.startswith("train: learning rate ") for line in said)
    assert run.evaluation.top1 > 0.8
    assert run.record.config["learning_rate"] == "auto"
    (step,) = run.record.config["phases"]
    assert f"train: learning rate {step['learning_rate']:.2g}" in said


def test_mixing_is_left_out_of_head_training_but_not_of_fine_tuning(tmp_path: Path, photos: Photos) -> None:
    import keras

    bare = keras.applications.MobileNetV2(
        input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=None
    )
    bare.save_weights(tmp_path / "own.weights.h5")
    run = train(
        TrainConfig(data=photos(cat=8, dog=8), model="mobilenet_v2", out=tmp_path / "run", size=32, width=0.35,
                    weights=tmp_path / "own.weights.h5", epochs=2, fine_tune_epochs=1, batch_size=8,
                    augment="mixup,flip", train_batch_norm=True, views=3)
    )  # fmt: skip
    assert run.record.config["augment"] == ["flip", "mixup"]
    assert run.record.metrics.epochs == 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_b0"])
def test_mixed_precision_measures_what_it_saves(tmp_path: Path, photos: Photos, name: str) -> None:
    import keras

    application = {"mobilenet_v3_small": "MobileNetV3Small", "efficientnet_b0": "EfficientNetB0"}[name]
    bare = getattr(keras.applications, application)(input_shape=(32, 32, 3), include_top=False, weights=None)
    for layer in bare.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.mean, layer.variance = layer.mean + 0.5, layer.variance * 4.0
            layer.set_weights([np.full(3, 0.45, np.float32), np.full(3, 0.05, np.float32), np.int32(1)])
    bare.save_weights(tmp_path / "own.weights.h5")
    run = train(
        TrainConfig(data=photos(cat=9, dog=9), model=name, out=tmp_path / "run", size=32, epochs=2,
                    weights=tmp_path / "own.weights.h5", fine_tune_epochs=0, precision="mixed_bfloat16")
    )  # fmt: skip
    again = evaluate(run.path, tmp_path / "photos")
    assert again.loss == pytest.approx(run.evaluation.loss, rel=1e-4)


@pytest.mark.parametrize("place", ["run", "run/logs"])
def test_logs_inside_the_run_folder_are_refused_before_training(tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="--logs must be outside the run folder"):
        digits(tmp_path, logs=tmp_path / place)
    assert not list(tmp_path.iterdir())


def test_logs_that_cannot_be_written_name_the_option(tmp_path: Path) -> None:
    (tmp_path / "logs" / "history.csv").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"Received: --logs .*Pass another --logs"):
        digits(tmp_path, logs=tmp_path / "logs")
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"Received: --logs .*Not a directory"):
        digits(tmp_path, logs=tmp_path / "file")


def test_regularised_model_reports_plain_val_loss(tmp_path: Path) -> None:
    import csv

    # In bfloat16, which some machines choose, the loss of an epoch has three digits.
    run = digits(tmp_path, model="bn_cnn", epochs=1, precision="float32")
    with (run.path / "history.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["val_loss"]) == pytest.approx(run.evaluation.loss, rel=1e-3)


def test_auto_precision_is_stored_as_what_it_was_decided_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainer import training

    monkeypatch.setattr(training, "resolved_precision", lambda asked: {"auto": "mixed_bfloat16"}[asked])
    said: list[str] = []
    run = digits(tmp_path, lambda event: said.append(event.message), epochs=1)
    assert run.record.config["precision"] == "mixed_bfloat16"
    assert sum(line.startswith("training in mixed_bfloat16") for line in said) == 1


def test_precisions_have_checkpoints_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer import training

    class StopError(Exception):
        """Stands for a kill."""

    def stop(event: Event) -> None:
        messages.append(event.message)
        if event.metrics:
            raise StopError

    messages: list[str] = []
    for decided in ("float32", "mixed_bfloat16", "float32"):
        monkeypatch.setattr(training, "resolved_precision", lambda _, decided=decided: decided)
        with pytest.raises(StopError):
            digits(tmp_path, stop, cache_dir=tmp_path / "cache")
    # The second run started over; the third went on with the first.
    assert sum("resuming the interrupted run" in message for message in messages) == 1

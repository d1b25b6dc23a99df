"""history.csv."""

from __future__ import annotations

import csv
import io

from trainer.run.run_json import EpochRow, history_csv


def test_one_line_an_epoch_under_a_header() -> None:
    rows = [EpochRow("head", 1, 1.25, 0.5, 1.0, 0.625, 1e-3, 2.0),
            EpochRow("fine-tune", 1, 1 / 3, 0.75, 0.5, 0.875, 1.23456789e-5, 61.5)]  # fmt: skip
    text = history_csv(rows)
    assert text.splitlines()[0] == "phase,epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"
    read = list(csv.DictReader(io.StringIO(text)))
    assert [row["phase"] for row in read] == ["head", "fine-tune"]
    assert read[0]["epoch"] == "1"
    assert read[1]["loss"] == "0.333333"
    assert read[1]["learning_rate"] == "1.23457e-05"
    assert "\r" not in text


def test_no_epoch_is_a_header_alone() -> None:
    assert len(history_csv([]).splitlines()) == 1

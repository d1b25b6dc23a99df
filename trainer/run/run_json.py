"""The contents of a run folder: the schema that training writes and the exporter reads.

::

    run.json      RunRecord: configuration, labels, input, metrics, data hash, versions
    model.keras   the trained model, on raw RGB or gray pixels 0..255
    data.json     DataRecord: the split of every image, with content hashes
    history.csv   one EpochRow per line
    report.html   the run as a page

Does not load Keras.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from edge_runtime.bundle.labels import settled, validated
from edge_runtime.bundle.strict_json import encode_json
from edge_runtime.common.errors import BundleError, RunError, first_line
from edge_runtime.common.temporary import put_back
from edge_runtime.image.input_spec import InputSpec

RUN_FILE = "run.json"
MODEL_FILE = "model.keras"
DATA_FILE = "data.json"
HISTORY_FILE = "history.csv"
REPORT_FILE = "report.html"
RUN_FILES = (RUN_FILE, MODEL_FILE, DATA_FILE, HISTORY_FILE, REPORT_FILE)
SCHEMA_VERSION: Literal[1] = 1


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A struct that rejects unknown fields."""


class RunMetrics(_Strict, frozen=True):
    """Quality of the saved model.

    Attributes:
        val_top1: Top-1 accuracy on val, 0..1.
        val_loss: Mean cross-entropy on val, in nats.
        val_images: Number of val images.
        train_images: Number of train images.
        epochs: Epochs run, in all phases.
        seconds: Wall-clock time from opening the data to the saved model.
    """

    val_top1: float
    val_loss: float
    val_images: int
    train_images: int
    epochs: int
    seconds: float


class RunRecord(_Strict, frozen=True):
    """``run.json``.

    Attributes:
        schema_version: 1.
        name: The run folder's name.
        model: Architecture, one of ``trainer.models.names()``.
        labels: Class names in the order of the model's outputs.
        input: The model's input.
        config: The configuration, with defaults filled in.
        metrics: Quality of the model.
        data_source: Absolute path or name of the data.
        data_sha256: Hash of the data's contents, labels and split.
        versions: Package versions by name.
        seed: Random seed.
        backend: Keras backend.
        created: UTC time, ISO 8601.
    """

    schema_version: Literal[1]
    name: str
    model: str
    labels: tuple[str, ...]
    input: InputSpec
    config: dict[str, Any]
    metrics: RunMetrics
    data_source: str
    data_sha256: str
    versions: dict[str, str]
    seed: int
    backend: str
    created: str


class DataItem(_Strict, frozen=True):
    """One image of ``data.json``; fields as in :class:`edge_runtime.dataset.Item`."""

    ref: str
    label: int
    split: Literal["train", "val"]
    sha256: str


class DataRecord(_Strict, frozen=True):
    """``data.json``.

    Attributes:
        source: Absolute path or name of the data.
        labels: Class names, indexed by the items' labels.
        items: Every image used.
        skipped: Files that were not used, with the reason.
    """

    source: str
    labels: tuple[str, ...]
    items: tuple[DataItem, ...]
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class EpochRow:
    """One epoch.

    Attributes:
        phase: ``train``, ``head`` or ``fine-tune``.
        epoch: Counted from 1 within the phase.
        loss: Mean training loss in nats, on augmented images if augmentation is on.
        accuracy: Training accuracy, 0..1.
        val_loss: Loss on val in nats.
        val_accuracy: Top-1 on val, 0..1.
        learning_rate: Learning rate at the end of the epoch.
        seconds: Wall-clock time since training began.
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    learning_rate: float
    seconds: float


class _Version(msgspec.Struct):
    """The one field that every schema version has."""

    schema_version: int


_Record = TypeVar("_Record", bound=msgspec.Struct)


def is_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a path is a run folder, even a damaged one.

    Args:
        folder: Any path.
    """
    put_back(Path(folder))
    try:
        return (Path(folder) / RUN_FILE).is_file()
    except OSError:
        # For example a name that is too long; opening it reports that.
        return False


def read_run(folder: str | os.PathLike[str]) -> RunRecord:
    """Reads ``run.json``.

    Args:
        folder: A run folder.

    Raises:
        RunError: ``folder`` is not a run folder, or the file is damaged or has another version.
    """
    data = _bytes(folder, RUN_FILE)
    name = str(Path(folder) / RUN_FILE)
    version = _decode(data, _Version, name).schema_version
    if version != SCHEMA_VERSION:
        raise RunError(
            f"{RUN_FILE} must have schema_version {SCHEMA_VERSION}. Received: {version} in {folder}. "
            "Install the snapship version that wrote it, or train again."
        )
    record = _decode(data, RunRecord, name)
    try:
        validated(record.labels, name)
    except BundleError as error:
        raise RunError(str(error)) from error
    return msgspec.structs.replace(record, labels=tuple(map(settled, record.labels)))


def read_data(folder: str | os.PathLike[str]) -> DataRecord:
    """Reads ``data.json``.

    Args:
        folder: A run folder.

    Raises:
        RunError: ``folder`` is not a run folder, or the file is damaged.
    """
    record = _decode(_bytes(folder, DATA_FILE), DataRecord, str(Path(folder) / DATA_FILE))
    if any(not 0 <= item.label < len(record.labels) for item in record.items):
        raise RunError(
            f"Every label in {DATA_FILE} must be one of its classes. Received: an unknown label in {folder}. "
            "Train again."
        )
    return msgspec.structs.replace(record, labels=tuple(map(settled, record.labels)))


def model_path(folder: str | os.PathLike[str]) -> Path:
    """Returns the path of the trained model.

    Args:
        folder: A run folder.

    Raises:
        RunError: ``folder`` is not a run folder, or the model is missing or empty.
    """
    if not is_run(folder):
        raise _no_run(folder)
    path = Path(folder) / MODEL_FILE
    if not path.is_file() or not path.stat().st_size:
        raise RunError(
            f"A run folder must contain {MODEL_FILE}. Received: {folder}, where it is missing or empty. Train again."
        )
    return path


def register_layers() -> None:
    """Registers snapship's own layers with Keras; call this before loading a ``model.keras``.

    Keras must already be loaded.
    """
    from trainer.models.frozen_graph import layer_class

    layer_class()


def write_run(folder: Path, record: RunRecord) -> None:
    """Writes ``run.json``.

    Args:
        folder: An existing folder.
        record: The content.
    """
    (folder / RUN_FILE).write_bytes(encode_json(record))


def write_data(folder: Path, record: DataRecord) -> None:
    """Writes ``data.json``.

    Args:
        folder: An existing folder.
        record: The content.
    """
    (folder / DATA_FILE).write_bytes(encode_json(record))


def history_csv(rows: Iterable[EpochRow]) -> str:
    """Returns the content of ``history.csv``.

    Args:
        rows: Epochs in the order in which they ran.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(EpochRow)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = asdict(row).items()
        writer.writerow(
            {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in values}
        )
    return buffer.getvalue()


def _bytes(folder: str | os.PathLike[str], file: str) -> bytes:
    if not is_run(folder):
        raise _no_run(folder)
    try:
        return (Path(folder) / file).read_bytes()
    except OSError as error:
        raise RunError(
            f"A run folder must contain {file}. Received: {folder} ({error.strerror}). Train again."
        ) from error


def _no_run(folder: str | os.PathLike[str]) -> RunError:
    what = "which does not exist" if not Path(folder).exists() else f"which has no {RUN_FILE}"
    return RunError(
        f"A run must be a folder with {RUN_FILE}. Received: {os.fspath(folder)}, {what}. "
        "Pass a folder created by: snapship train DATA --out RUN"
    )


def _decode(data: bytes, kind: type[_Record], name: str) -> _Record:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise RunError(
            f"{name} must follow its schema. Received: {first_line(error)}. Restore the file or train again."
        ) from error

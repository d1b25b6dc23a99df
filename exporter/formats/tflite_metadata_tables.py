"""The few tables of TFLite's metadata schema that describe an image classifier, as FlatBuffers.

Written out by hand from ``metadata_schema.fbs`` (identifier ``M001``) of TensorFlow Lite and
MediaPipe: the generated module is 3,400 lines for 60 tables, and no current package ships it
without the rest of MediaPipe. A slot is a field's position in its table's declaration.

Labels are not in these tables but in a zip appended to the model's FlatBuffer: interpreters read
the first half of such a file and ignore the second; ``unzip`` does the opposite.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from edge_runtime.common.errors import ModelFileError
from edge_runtime.engines.c_header import IDENTIFIER

ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The date of every zip entry, so that the same content gives the same bytes."""

_METADATA_IDENTIFIER = b"M001"
_ROOT = "ModelMetadata"

COLOR_SPACES = {"RGB": 1, "GRAYSCALE": 2}
"""``ColorSpaceType``."""

TENSOR_AXIS_LABELS = 2
"""``AssociatedFileType``: a file that names the entries along a tensor's axis, one per line."""

Record = Mapping[str, Any]
"""A table as field name -> text, number, list of floats, record, or list of records."""


@dataclass(frozen=True)
class _Field:
    """One field of a table.

    Attributes:
        slot: Its position; a union's type code stands one slot before its value.
        kind: What it holds.
        of: The table that it holds.
        code: A union's type code for that table.
    """

    slot: int
    kind: Literal["text", "byte", "floats", "table", "tables", "union"]
    of: str = ""
    code: int = 0


_SCHEMA: dict[str, dict[str, _Field]] = {
    "ModelMetadata": {
        "name": _Field(0, "text"),
        "description": _Field(1, "text"),
        "version": _Field(2, "text"),
        "subgraphs": _Field(3, "tables", "SubGraphMetadata"),
        "author": _Field(4, "text"),
        "license": _Field(5, "text"),
        "min_parser_version": _Field(7, "text"),
    },
    "SubGraphMetadata": {
        "inputs": _Field(2, "tables", "TensorMetadata"),
        "outputs": _Field(3, "tables", "TensorMetadata"),
    },
    "TensorMetadata": {
        "name": _Field(0, "text"),
        "description": _Field(1, "text"),
        "content": _Field(3, "table", "Content"),
        "process_units": _Field(4, "tables", "ProcessUnit"),
        "stats": _Field(5, "table", "Stats"),
        "files": _Field(6, "tables", "AssociatedFile"),
    },
    "Content": {
        "image": _Field(1, "union", "ImageProperties", code=2),
        "feature": _Field(1, "union", "FeatureProperties", code=1),
    },
    "ImageProperties": {"color_space": _Field(0, "byte")},
    "FeatureProperties": {},
    "ProcessUnit": {"normalization": _Field(1, "union", "NormalizationOptions", code=1)},
    "NormalizationOptions": {"mean": _Field(0, "floats"), "std": _Field(1, "floats")},
    "Stats": {"max": _Field(0, "floats"), "min": _Field(1, "floats")},
    "AssociatedFile": {
        "name": _Field(0, "text"),
        "description": _Field(1, "text"),
        "type": _Field(2, "byte"),
    },
}


def packed(record: Record) -> bytes:
    """A ``ModelMetadata`` table as a finished FlatBuffer.

    Args:
        record: Its fields; those that are left out stay unset.
    """
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.Finish(_write(builder, _ROOT, record), file_identifier=_METADATA_IDENTIFIER)
    return bytes(builder.Output())


def unpacked(data: bytes) -> Record:
    """Reads a ``ModelMetadata`` table.

    Args:
        data: A finished FlatBuffer.

    Returns:
        The fields that are set and known here.

    Raises:
        ValueError: It is not such a FlatBuffer.
    """
    from flatbuffers import encode, packer, table

    if data[4:8] != _METADATA_IDENTIFIER:
        raise ValueError(f"identifier {data[4:8]!r} instead of {_METADATA_IDENTIFIER!r}")
    try:
        return _read(table.Table(data, encode.Get(packer.uoffset, data, 0)), _ROOT)
    except (struct.error, IndexError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"damaged: {error}") from error


def _write(builder: Any, name: str, record: Record) -> int:
    """Children first: a FlatBuffer is built from its end, and no table may be open meanwhile."""
    schema = _SCHEMA[name]
    values = {key: _write_value(builder, schema[key], value) for key, value in record.items()}
    builder.StartObject(1 + max((field.slot for field in schema.values()), default=-1))
    for key, value in values.items():
        field = schema[key]
        if field.kind == "byte":
            builder.PrependInt8Slot(field.slot, value, 0)
            continue
        if field.kind == "union":
            builder.PrependUint8Slot(field.slot - 1, field.code, 0)
        builder.PrependUOffsetTRelativeSlot(field.slot, value, 0)
    return int(builder.EndObject())


def _write_value(builder: Any, field: _Field, value: Any) -> int:
    if field.kind == "byte":
        return int(value)
    if field.kind == "text":
        return int(builder.CreateString(value))
    if field.kind in ("table", "union"):
        return _write(builder, field.of, value)
    tables = [_write(builder, field.of, entry) for entry in value] if field.kind == "tables" else None
    builder.StartVector(4, len(value), 4)
    for entry in reversed(value if tables is None else tables):
        if tables is None:
            builder.PrependFloat32(entry)
        else:
            builder.PrependUOffsetTRelative(entry)
    return int(builder.EndVector())


def _read(table: Any, name: str) -> Record:
    found = {key: _read_value(table, field) for key, field in _SCHEMA[name].items()}
    return {key: value for key, value in found.items() if value is not None}


def _read_value(table: Any, field: _Field) -> Any:
    """A field's value; None if it is not set, or a union holds something else."""
    from flatbuffers import number_types as types
    from flatbuffers.table import Table

    # A vtable starts with two sizes of two bytes, then one entry of two bytes per slot.
    at = table.Offset(4 + 2 * field.slot)
    if not at:
        return None
    if field.kind == "byte":
        return int(table.Get(types.Int8Flags, table.Pos + at))
    if field.kind == "text":
        return bytes(table.String(table.Pos + at)).decode("utf-8")
    if field.kind in ("table", "union"):
        if field.kind == "union":
            code = table.Offset(4 + 2 * (field.slot - 1))
            if not code or table.Get(types.Uint8Flags, table.Pos + code) != field.code:
                return None
        return _read(Table(table.Bytes, table.Indirect(table.Pos + at)), field.of)
    start, count = table.Vector(at), table.VectorLen(at)
    if field.kind == "floats":
        return [float(table.Get(types.Float32Flags, start + 4 * index)) for index in range(count)]
    return [_read(Table(table.Bytes, table.Indirect(start + 4 * index)), field.of) for index in range(count)]


def split(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The model without the appended files, and the files.

    Args:
        data: A .tflite file.

    Returns:
        The model's FlatBuffer, and name -> content of the files; empty without an intact zip.

    Raises:
        ModelFileError: It is not a .tflite file.
    """
    if data[4:8] != IDENTIFIER:
        raise ModelFileError(
            f"Metadata must go into a .tflite file. Received: {len(data)} bytes that begin "
            f"{data[:8].hex() or 'nowhere'}. Pass a file that the converter wrote."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            files = {entry.filename: archive.read(entry) for entry in entries}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error):
        # Most models have none; in some, weights look like one.
        return data, {}
    start = min((entry.header_offset for entry in entries), default=len(data))
    return data[:start], files


def joined(model: bytes, files: Mapping[str, bytes]) -> bytes:
    """A model with files appended; the same content gives the same bytes.

    Args:
        model: The model's FlatBuffer alone.
        files: Name -> content. Stored, not compressed: clients map them from the file.
    """
    file = io.BytesIO(model)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return file.getvalue()

"""Makes the files of a bundle: the full model is converted once, everything else is made from that.

What each is made from::

    full model -> frozen graph -> tflite-fp32 -> tflite-int8 -> c-array
                               -> tflite-fp16, tflite-dynamic, tflite-int16x8
               -> onnx-fp32 -> onnx-fp16, onnx-int8
               -> saved-model, coreml
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from edge_runtime.engines import open_engine
from edge_runtime.errors import ModelFileError
from edge_runtime.manifest import Artifact
from edge_runtime.native_output import quiet
from edge_runtime.preprocess import UInt8Array
from edge_runtime.progress import Progress
from exporter.bundle_files import describe
from exporter.kinds import KINDS, Kind
from exporter.metadata import with_onnx_metadata, with_tflite_metadata
from exporter.quantize import OnnxGraph, QuantGraph, TfliteGraph
from exporter.source import FullModel

INT8_KINDS = ("tflite-int8", "onnx-int8")
"""Kinds that are quantized from a float file of the same format, and can be repaired."""

_T = TypeVar("_T")


class Maker:
    """Makes artifacts of one full model; float files are made once and kept.

    Attributes:
        files: What was written so far, by kind.
        unmade: Why an artifact could not be made or loaded, by the name of its kind.
        entries: What the manifest says of each file that was loaded.
    """

    def __init__(
        self,
        model: FullModel,
        name: str,
        labels: tuple[str, ...],
        calibration: Callable[[], UInt8Array],
        folder: Path,
        tell: Progress,
    ) -> None:
        """Prepares; nothing is converted yet.

        Args:
            model: The full model.
            name: What the files' names begin with.
            labels: Class names.
            calibration: Gives the images that calibrate, uint8 ``[n, height, width, channels]``;
                called at most once, and only for kinds that need them.
            folder: Where files are written.
            tell: Told what is being done.
        """
        self.files: dict[Kind, Path] = {}
        self.unmade: dict[str, str] = {}
        self.entries: dict[Kind, Artifact] = {}
        self._errors: dict[Kind, ModelFileError] = {}
        self._refused: dict[str, ModelFileError] = {}
        self._model, self._name, self._labels = model, name, labels
        self._calibration, self._folder, self._tell = calibration, folder, tell
        self._graphs: dict[str, QuantGraph] = {}
        self._quantized: dict[str, bytes] = {}

    def make(self, kinds: tuple[Kind, ...]) -> dict[Kind, Path]:
        """Writes artifacts. One that cannot be made is left out, and :attr:`unmade` says why.

        Args:
            kinds: Which.

        Returns:
            All files so far by kind, in the order in which they were made.

        Raises:
            ModelFileError: None of the kinds could be made; the error is that of the first.
            EnvironmentMissingError: A converter is not installed.
        """
        for kind in kinds:
            with self._left_out_if_refused(kind):
                self.files[kind] = self._write(kind)
        self._check_some(kinds)
        return self.files

    def load(self) -> dict[Kind, Artifact]:
        """Loads every file once, and leaves out what no interpreter takes: a converter may write that.

        Returns:
            What the manifest says of each file that loads, by kind.

        Raises:
            ModelFileError: None loads; the error is that of the first.
            EnvironmentMissingError: No engine for one of them is installed.
        """
        kinds = tuple(self.files)
        for kind in kinds:
            with self._left_out_if_refused(kind):
                self.entries[kind] = describe(kind, self.files[kind], self._model.input, len(self._labels))
        self._check_some(kinds)
        return self.entries

    def graph(self, kind: str) -> QuantGraph:
        """The float graph that an int8 kind is quantized from, calibrated.

        Args:
            kind: One of :data:`INT8_KINDS`.
        """
        if kind not in self._graphs:
            pixels = self.calibration
            float_graph = TfliteGraph(self._tflite) if kind == "tflite-int8" else OnnxGraph(self._onnx)
            told = f"calibrating {kind} on {len(pixels)} images"
            self._graphs[kind] = self._once(f"{kind} graph", told, lambda: float_graph.calibrated(pixels))
        return self._graphs[kind]

    def int8(self, kind: str) -> bytes:
        """An int8 file without metadata, quantized once.

        Args:
            kind: One of :data:`INT8_KINDS`.
        """
        if kind not in self._quantized:
            graph = self.graph(kind)
            self._quantized[kind] = self._once(kind, f"quantizing to {kind}", graph.quantized)
        return self._quantized[kind]

    def replace(self, kind: str, data: bytes) -> None:
        """Puts a repaired file in the place of an int8 artifact, and in what is made from it.

        Args:
            kind: One of :data:`INT8_KINDS`.
            data: The file, without metadata.
        """
        self._quantized[kind] = data
        for made in (kind, "c-array"):
            if KINDS[made] in self.files and (made == kind or kind == "tflite-int8"):
                self.files[KINDS[made]] = path = self._write(KINDS[made])
                self.entries[KINDS[made]] = describe(KINDS[made], path, self._model.input, len(self._labels))

    @cached_property
    def calibration(self) -> UInt8Array:
        """Images that calibrate, uint8 ``[n, height, width, channels]``."""
        return self._calibration()

    @cached_property
    def _frozen(self) -> Any:
        from exporter.freeze import freeze

        return self._once("frozen", "freezing the full model", lambda: freeze(self._model))

    @cached_property
    def _tflite(self) -> bytes:
        from exporter.tflite import convert_fp32

        frozen = self._frozen
        return self._once("tflite-fp32", "converting to tflite-fp32", lambda: convert_fp32(frozen))

    @cached_property
    def _onnx(self) -> bytes:
        from exporter.onnx_file import convert_onnx

        return self._once("onnx-fp32", "converting to onnx-fp32", lambda: convert_onnx(self._model))

    def _once(self, name: str, told: str, make: Callable[[], _T]) -> _T:
        """Makes what several artifacts are made of; a refusal is kept too, and not waited for again."""
        if name in self._refused:
            raise self._refused[name]
        self._tell(told, 0, 0)
        try:
            return make()
        except ModelFileError as error:
            self._refused[name] = error
            raise

    @contextmanager
    def _left_out_if_refused(self, kind: Kind) -> Iterator[None]:
        try:
            yield
        except ModelFileError as error:
            if isinstance(error.__cause__, MemoryError):
                # Says nothing of this kind; the next would run into it as well.
                raise
            self._errors[kind] = error
            self.unmade[kind.name] = str(error)
            self.files.pop(kind, None)
            path = self._folder / kind.file(self._name)
            path.unlink(missing_ok=True)
            if path.parent != self._folder and path.parent.is_dir():
                path.parent.rmdir()

    def _check_some(self, kinds: tuple[Kind, ...]) -> None:
        if kinds and not any(kind in self.files for kind in kinds):
            raise self._errors[kinds[0]]

    def _write(self, kind: Kind) -> Path:
        path = self._folder / kind.file(self._name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind.format == "saved-model":
            from exporter.saved_model import write_saved_model

            self._tell(f"converting to {kind.name}", 0, 0)
            return write_saved_model(self._model, path.parent)
        data = self._described(kind, self._data(kind))
        path.write_bytes(data)
        return path

    def _data(self, kind: Kind) -> bytes:
        from exporter import tflite

        if kind.name in INT8_KINDS:
            return self.int8(kind.name)
        if kind.name == "tflite-fp32":
            return self._tflite
        if kind.name == "onnx-fp32":
            return self._onnx
        if kind.name == "tflite-int16x8":
            pixels, frozen = self.calibration, self._frozen
            self._tell(f"calibrating {kind.name} on {len(pixels)} images", 0, 0)
            return tflite.convert_int16x8(frozen, pixels)
        if kind.name == "onnx-fp16":
            from exporter.onnx_file import convert_onnx_fp16

            source = self._onnx
            self._tell(f"converting to {kind.name}", 0, 0)
            return convert_onnx_fp16(source)
        if kind.name == "c-array":
            from exporter.c_array import c_array

            data = self.int8("tflite-int8")
            with quiet():
                # No engine reads the header itself.
                open_engine(data, "tflite", f"{kind.name} of {self._name}").close()
            return c_array(data, self._name, self._labels, self._model.input).encode()
        if kind.name == "coreml":
            from exporter.coreml import convert_coreml

            self._tell(f"converting to {kind.name}", 0, 0)
            return convert_coreml(self._model, self._labels, self._name)
        frozen = self._frozen
        self._tell(f"converting to {kind.name}", 0, 0)
        return {"tflite-fp16": tflite.convert_fp16, "tflite-dynamic": tflite.convert_dynamic}[kind.name](
            frozen
        )

    def _described(self, kind: Kind, data: bytes) -> bytes:
        """With labels and preprocessing inside, for clients that know nothing of bundles."""
        name, labels, spec = self._name, self._labels, self._model.input
        text = f"Image classifier of {len(labels)} classes ({kind.name}), made by snapship"
        if kind.format == "tflite":
            return with_tflite_metadata(data, name=name, description=text, labels=labels, input=spec)
        if kind.format == "onnx":
            return with_onnx_metadata(
                data, name=name, description=text, labels=labels, input=spec, kind=kind.name
            )
        return data

"""Makes the files of a bundle: the full model is converted once, and everything else is made from that.

:data:`exporter.formats.kinds.KINDS` says what each kind is made from::

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

from edge_runtime.bundle.manifest import Artifact
from edge_runtime.common.errors import ModelFileError
from edge_runtime.common.native_output import quiet
from edge_runtime.common.progress import Progress
from edge_runtime.engines import open_engine
from edge_runtime.image.preprocess import UInt8Array
from exporter.bundle.bundle_files import describe
from exporter.formats.extra_output import EXTENDABLE, NoFeaturesError, with_features
from exporter.formats.kinds import KINDS, Kind, resolve
from exporter.quantize import QuantGraph
from exporter.source.full_model import FullModel, freeze

_SHARED = {name for kind in KINDS.values() for name in kind.made_of} | {
    kind.name for kind in KINDS.values() if kind.graph
}
"""Kinds whose content is kept: other kinds are made from it, or a repair starts from it."""

_T = TypeVar("_T")


class Builder:
    """Makes the artifacts of one full model; intermediate results that several need are made once.

    Attributes:
        model: The full model.
        name: What the files' names begin with.
        labels: Class names.
        input: The pixels the model takes.
        files: The files written so far, by kind.
        unmade: Why an artifact could not be made or loaded, by the name of its kind.
        entries: The manifest's entry of each file that was loaded.
    """

    def __init__(
        self,
        model: FullModel,
        name: str,
        labels: tuple[str, ...],
        calibration: Callable[[], UInt8Array],
        folder: Path,
        progress: Progress,
    ) -> None:
        """Prepares; nothing is converted yet.

        Args:
            model: The full model.
            name: What the files' names begin with.
            labels: Class names.
            calibration: Returns the calibration images, uint8 ``[n, height, width, channels]``;
                called at most once, and only for kinds that need them.
            folder: Where files are written.
            progress: Progress callback.
        """
        self.model, self.name, self.labels, self.input = model, name, labels, model.input
        self.files: dict[Kind, Path] = {}
        self.unmade: dict[str, str] = {}
        self.entries: dict[Kind, Artifact] = {}
        self._errors: dict[Kind, ModelFileError] = {}
        self._refused: dict[str, ModelFileError] = {}
        self._calibration, self._folder, self._progress = calibration, folder, progress
        self._graphs: dict[str, QuantGraph] = {}
        self._made: dict[str, bytes] = {}

    def for_model(self, model: FullModel) -> Builder:
        """A builder of another model, with this one's calibration images.

        Args:
            model: The other model, such as a fine-tuned copy.
        """
        return Builder(model, self.name, self.labels, lambda: self.calibration, self._folder, self._progress)

    def make(self, kinds: tuple[Kind, ...]) -> dict[Kind, Path]:
        """Writes artifacts. One that cannot be made is left out, and :attr:`unmade` says why.

        Args:
            kinds: The kinds to write.

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
        """Loads every file once, and leaves out what no interpreter accepts: converters may write such files.

        Returns:
            The manifest's entry of each file that loads, by kind.

        Raises:
            ModelFileError: None loads; the error is that of the first.
            EnvironmentMissingError: No engine for one of them is installed.
        """
        kinds = tuple(self.files)
        for kind in kinds:
            with self._left_out_if_refused(kind):
                self.entries[kind] = describe(kind, self.files[kind], self.input, len(self.labels))
        self._check_some(kinds)
        return self.entries

    def graph(self, kind: str) -> QuantGraph:
        """The float graph that an int8 kind is quantized from, calibrated.

        Args:
            kind: One of :data:`exporter.formats.kinds.REPAIRABLE_KINDS`.
        """
        if kind not in self._graphs:
            row, pixels = KINDS[kind], self.calibration
            float_graph = resolve(row.graph)(*map(self._input, row.made_of))
            step = f"calibrating {kind} on {len(pixels)} images"
            self._graphs[kind] = self._once(f"{kind} graph", step, lambda: float_graph.calibrated(pixels))
        return self._graphs[kind]

    def data(self, kind: str) -> bytes:
        """A file's content without metadata.

        Args:
            kind: The name of its kind.
        """
        if kind in self._made:
            return self._made[kind]
        row = KINDS[kind]
        if row.graph:
            made = self._once(kind, f"quantizing to {kind}", self.graph(kind).quantized)
        else:
            inputs = [self._input(name) for name in row.made_of]
            if row.wraps:
                with quiet():
                    # No engine reads the wrapping file itself.
                    open_engine(self.data(row.wraps), row.model_format, f"{kind} of {self.name}").close()
            step = f"converting to {kind}"
            if "calibration" in row.made_of:
                step = f"calibrating {kind} on {len(self.calibration)} images"
            made = self._once(kind, step, lambda: resolve(row.make)(*inputs))
        if kind in _SHARED:
            self._made[kind] = made
        return made

    def replace(self, kind: str, data: bytes) -> None:
        """Replaces an int8 artifact by its repaired file, and what wraps it.

        Args:
            kind: One of :data:`exporter.formats.kinds.REPAIRABLE_KINDS`.
            data: The file, without metadata.
        """
        self._made[kind] = data
        for row in self.files:
            if kind in (row.name, row.wraps):
                self.files[row] = path = self._write(row)
                self.entries[row] = describe(row, path, self.input, len(self.labels))

    def add_features(self, kinds: tuple[Kind, ...]) -> dict[str, str]:
        """Adds the output ``features`` to finished files, after quantization and repair.

        Their scores stay the same to the bit, and a header that contains one is left as it is.

        Args:
            kinds: Kinds of :attr:`files`.

        Returns:
            Why a file has no such output, by the name of its kind; it is left as it was.
        """
        refused = {}
        for kind in kinds:
            if kind.format not in EXTENDABLE:
                refused[kind.name] = f"{kind.format} artifacts have no features output"
                continue
            path = self.files[kind]
            try:
                path.write_bytes(
                    self._finished(kind, with_features(path.read_bytes(), kind.format, kind.name))
                )
            except NoFeaturesError as error:
                refused[kind.name] = f"no features output in a file {error.found}"
            else:
                self.entries[kind] = describe(kind, path, self.input, len(self.labels))
        return refused

    @cached_property
    def calibration(self) -> UInt8Array:
        """The calibration images, uint8 ``[n, height, width, channels]``."""
        return self._calibration()

    @cached_property
    def frozen(self) -> Any:
        """The full model as one graph without variables, see :func:`exporter.source.full_model.freeze`."""
        return self._once("frozen", "freezing the full model", lambda: freeze(self.model))

    def _input(self, name: str) -> Any:
        """What :attr:`Kind.made_of` names."""
        return self.data(name) if name in KINDS else getattr(self, name)

    def _once(self, name: str, step: str, make: Callable[[], _T]) -> _T:
        """Makes something; a refusal is kept, so that the next artifact that needs it does not wait again."""
        if name in self._refused:
            raise self._refused[name]
        self._progress(step, 0, 0)
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
                # Says nothing about this kind; the next would fail in the same way.
                raise
            self._errors[kind] = error
            self.unmade[kind.name] = str(error)
            self.files.pop(kind, None)
            path = self._folder / kind.file(self.name)
            path.unlink(missing_ok=True)
            if path.parent != self._folder and path.parent.is_dir():
                path.parent.rmdir()

    def _check_some(self, kinds: tuple[Kind, ...]) -> None:
        if kinds and not any(kind in self.files for kind in kinds):
            raise self._errors[kinds[0]]

    def _write(self, kind: Kind) -> Path:
        path = self._folder / kind.file(self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._finished(kind, self.data(kind.name)))
        return path

    def _finished(self, kind: Kind, data: bytes) -> bytes:
        """With metadata, for clients that do not know bundles."""
        if not kind.metadata:
            return data
        finished: bytes = resolve(kind.metadata)(
            data,
            name=self.name,
            description=f"Image classifier of {len(self.labels)} classes ({kind.name}), made by snapship",
            labels=self.labels,
            input=self.input,
            kind=kind.name,
        )
        return finished

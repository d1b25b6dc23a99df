"""A model file to judge, and how it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.bundle.cascade_entry import CascadeEntry
from edge_runtime.bundle.manifest import Artifact, Format
from edge_runtime.engines import ENGINES, Engine, open_engine, usable
from edge_runtime.engines.onnx import OnnxEngine
from edge_runtime.engines.opening import engine_maker
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.half_precision import Feed, raw
from exporter.formats.kinds import KINDS, resolve
from exporter.source.engine_team import team_size

Opener = Callable[[int, bool], Engine]
"""Loads a file that no device engine reads as it is: threads of one inference, and whether to use kernels
that add all products in 32 bits, which is for .onnx files alone."""


@dataclass(frozen=True)
class Candidate:
    """A model file to judge.

    Attributes:
        name: An artifact's kind, or a file name.
        model: Its path or bytes.
        format: The file's format.
        exact: Whether its scores must equal the full model's.
        bytes: Its size.
        opener: Loads it; None if a device engine reads it as it is.
        feed: Turns an image into the file's input, to read the tensors inside.
        threaded: Whether its engine takes a number of threads.
    """

    name: str
    model: Path | bytes
    format: Format
    exact: bool
    bytes: int
    opener: Opener | None = None
    feed: Feed = raw
    threaded: bool = True

    @property
    def unusable(self) -> str:
        """Why it cannot run here, in words; empty if it can."""
        if self.opener is not None or usable(self.format):
            return ""
        if any(entry.format == self.format for entry in ENGINES.values()):
            return f"no engine for .{self.format} is installed"
        return f"a {self.format} artifact runs on no engine of this machine"

    def open(self, threads: int, *, exact: bool = False) -> Engine:
        """Loads it.

        Args:
            threads: Threads of one inference.
            exact: Use kernels that add all products in 32 bits, whatever the CPU; for .onnx files alone.

        Raises:
            ModelFileError: The engine refuses it.
        """
        if self.opener is not None:
            return self.opener(threads, exact)
        if exact:
            return OnnxEngine(self.model, self.name, threads, exact=True)
        return open_engine(self.model, self.format, self.name, threads=threads)

    def team_size(self, threads: int) -> int:
        """How many of its engines may score images at once; one where the engine keeps all cores busy itself.

        Args:
            threads: Threads of one inference.
        """
        return team_size(self.bytes, threads) if self.threaded else 1


def bundle_candidates(bundle: Bundle) -> list[Candidate]:
    """The artifacts of a bundle, whose files are verified now.

    Args:
        bundle: The bundle.

    Raises:
        BundleError: A file is missing or changed.
    """
    return [_of_bundle(bundle, entry) for entry in bundle.entries]


def _of_bundle(bundle: Bundle, entry: Artifact) -> Candidate:
    if isinstance(entry, CascadeEntry):
        # Its files are verified now, like those of the others.
        first = bundle.model(entry.parts[0])
        engine_maker(bundle, entry)
        return cascade_candidate(
            entry.kind, first, entry.format, entry.bytes,
            lambda threads: engine_maker(bundle, entry, threads=threads)(),
        )  # fmt: skip
    return artifact_candidate(
        entry.kind, bundle.model(entry), entry.format, entry.bytes, entry.file, bundle.manifest.input
    )


def artifact_candidate(
    name: str, model: Path | bytes, format: Format, size: int, file: str, input: InputSpec
) -> Candidate:
    """An artifact of a bundle as a candidate.

    Args:
        name: The name of its kind; one that this version does not know counts as quantized.
        model: Its path or bytes.
        format: Its format.
        size: Its size in bytes.
        file: Its file's name, for messages.
        input: The pixels it takes.
    """
    kind = KINDS.get(name)
    if kind is None or not kind.load:
        return Candidate(name, model, format, kind is not None and kind.exact, size)
    load = resolve(kind.load)
    return Candidate(
        name, model, format, kind.exact, size, threaded=kind.threaded,
        opener=lambda threads, exact: load(model, file, input, threads),
    )  # fmt: skip


def cascade_candidate(
    name: str, model: Path | bytes, format: Format, size: int, load: Callable[[int], Engine]
) -> Candidate:
    """A cascade as a candidate.

    Args:
        name: Its kind.
        model: The path or bytes of its first file.
        format: That file's format.
        size: The size of both files in bytes.
        load: Loads both, given the threads of one inference.
    """
    return Candidate(name, model, format, False, size, opener=lambda threads, exact: load(threads))


def float_sibling(candidate: Candidate, candidates: list[Candidate]) -> Candidate | None:
    """The float file that another was quantized from; None for float files, and if it was not exported.

    Args:
        candidate: A file.
        candidates: All files being judged.
    """
    if candidate.exact:
        return None
    kind = KINDS.get(candidate.name)
    format = candidate.format if kind is None else kind.model_format
    for other in candidates:
        if other.exact and other.format == format:
            return other
    return None

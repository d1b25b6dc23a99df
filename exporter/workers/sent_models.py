"""The models of a check on their way to the workers: one zip, opened there as the check opens them here."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.image.input_spec import InputSpec
from exporter.formats.model_files import model_files
from exporter.source.candidate import Candidate, bundle_candidates
from exporter.source.external import external_candidate, look_at, prepared, scorer_of
from exporter.source.full_model import Source, load_source
from exporter.source.input_range import InputRange
from exporter.source.loaded_model import LoadedModel
from exporter.source.scoring import Scorer, full_scorer


@dataclass(frozen=True)
class OpenedModels:
    """The models, ready to score.

    Attributes:
        full: The full model.
        candidates: The artifacts.
    """

    full: Scorer
    candidates: list[Candidate]


class SentModels(Protocol):
    """What a check compares; can be pickled."""

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yields what a worker needs: the path in the zip, and the file here."""
        ...

    def opened(self, folder: Path) -> OpenedModels:
        """Opens them where the zip was unpacked.

        Args:
            folder: That folder.

        Raises:
            SnapshipError: A model does not open there.
        """
        ...


def write_zip(models: SentModels, place: Path) -> None:
    """Writes the zip; models hardly shrink, so nothing is compressed.

    Args:
        models: What a check compares.
        place: The new file.
    """
    with zipfile.ZipFile(place, "w") as archive:
        for name, path in models.files():
            archive.write(path, name)


@dataclass(frozen=True)
class BundleModels:
    """A bundle and its full model.

    Attributes:
        bundle: The bundle, a folder or a zip.
        source: The full model.
        taken: The pixel range that it expects.
    """

    bundle: Path
    source: Source
    taken: InputRange

    def files(self) -> Iterator[tuple[str, Path]]:
        """See :class:`SentModels`."""
        if self.bundle.is_file():
            yield "bundle.zip", self.bundle
        else:
            for path in sorted(self.bundle.rglob("*")):
                if path.is_file():
                    yield f"bundle/{path.relative_to(self.bundle).as_posix()}", path
        yield from _files_of("full", self.source.file, model_files(self.source.file))

    def opened(self, folder: Path) -> OpenedModels:
        """See :class:`SentModels`."""
        source = replace(self.source, file=folder / "full" / self.source.file.name)
        bundle = Bundle.open(folder / ("bundle.zip" if (folder / "bundle.zip").is_file() else "bundle"))
        return OpenedModels(full_scorer(load_source(source, self.taken)), bundle_candidates(bundle))


@dataclass(frozen=True)
class SentFile:
    """A model file of any origin.

    Attributes:
        path: The file, or a SavedModel's folder.
        files: All files that it consists of.
        taken: The pixel range that it expects.
    """

    path: Path
    files: tuple[Path, ...]
    taken: InputRange

    @classmethod
    def of(cls, model: LoadedModel) -> SentFile:
        """A file that was looked at.

        Args:
            model: The file.
        """
        return cls(model.path, model.files, model.input_range)


@dataclass(frozen=True)
class FileModels:
    """Two model files.

    Attributes:
        full: The full model.
        candidate: The model to judge.
        input: The pixels that both take.
    """

    full: SentFile
    candidate: SentFile
    input: InputSpec

    def files(self) -> Iterator[tuple[str, Path]]:
        """See :class:`SentModels`."""
        yield from _files_of("full", self.full.path, self.full.files)
        yield from _files_of("candidate", self.candidate.path, self.candidate.files)

    def opened(self, folder: Path) -> OpenedModels:
        """See :class:`SentModels`."""
        full, candidate = (
            prepared(look_at(folder / side / one.path.name, one.taken), self.input)
            for side, one in (("full", self.full), ("candidate", self.candidate))
        )
        return OpenedModels(scorer_of(full, together=False), [external_candidate(candidate)])


def _files_of(side: str, model: Path, files: tuple[Path, ...]) -> Iterator[tuple[str, Path]]:
    """The files of a model under a folder of the zip, beside each other as they are here."""
    for path in files:
        yield f"{side}/{path.relative_to(model.parent).as_posix()}", path

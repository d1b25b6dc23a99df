"""The steps of a recipe: their inputs, what they do, and their outputs."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from edge_runtime.common.errors import UsageError
from edge_runtime.dataset import ARRAY_NAMES, array_file, open_dataset
from snapship.extras import version
from snapship.run.console import RecipeProgress
from snapship.run.resolved_recipe import ResolvedRecipe
from trainer.models.weights import weights_sha256

NOT_DOWNLOADED = "not downloaded yet"
"""Stands for the hash of a data set that is still to be downloaded."""

_VARIABLE, _BACKEND = "KERAS_BACKEND", "tensorflow"
"""Keras runs on one backend per process, and export needs TensorFlow's."""


class ContentHashes:
    """Hashes of image sets, each computed once for all steps."""

    def __init__(self) -> None:
        self._data: dict[str, str] = {}

    def data(self, data: str | os.PathLike[str]) -> str:
        """Hash of an image set's contents, labels and split.

        Args:
            data: Any form of DATA.

        Returns:
            64 hex digits, or :data:`NOT_DOWNLOADED`.

        Raises:
            DataError: The data is unusable.
        """
        name = os.fspath(data)
        if name in ARRAY_NAMES and not array_file(name).is_file():
            return NOT_DOWNLOADED
        if name not in self._data:
            self._data[name] = open_dataset(name).sha256
        return self._data[name]


@dataclass(frozen=True)
class Step(ABC):
    """One step.

    Attributes:
        recipe: The recipe.
        hashes: Shared by all steps.
        name: ``train``, ``export`` or ``check``.
    """

    recipe: ResolvedRecipe
    hashes: ContentHashes
    name: ClassVar[str]

    @property
    @abstractmethod
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders that it leaves."""

    @abstractmethod
    def inputs(self) -> dict[str, Any]:
        """Everything that its outputs depend on, except the step before; plain data."""

    @abstractmethod
    def run(self, progress: RecipeProgress, force: bool) -> None:
        """Does the work; its outputs appear complete or not at all."""

    def _settings(self, config: object, *others: str) -> dict[str, Any]:
        """The values of this step as its configuration normalised them; paths count by content or not at all."""
        values = self.recipe.values[self.name]
        return {key: getattr(config, key) for key in values if key not in others} | {"snapship": version()}


def steps_of(recipe: ResolvedRecipe) -> tuple[Step, ...]:
    """The steps in the order in which they run.

    Args:
        recipe: The recipe.
    """
    hashes = ContentHashes()
    return Train(recipe, hashes), Export(recipe, hashes), Check(recipe, hashes)


class Train(Step):
    """Data to a run folder."""

    name = "train"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The run folder."""
        return (self.recipe.paths.run,)

    def inputs(self) -> dict[str, Any]:
        """The configuration, and the contents of the data and of the weights."""
        config = self.recipe.train
        found = self._settings(config, "data", "cache_dir", "logs", "weights")
        weights = config.weights if config.pretrained else None
        if weights is None or weights in ("imagenet", "none"):
            found["weights"] = weights or "none"
        else:
            found["weights_sha256"] = _weights_sha256(os.fspath(weights))
        return found | {"data_sha256": self.hashes.data(config.data)}

    def run(self, progress: RecipeProgress, force: bool) -> None:
        """Trains; resumes an interrupted run unless forced."""
        from trainer import train

        with progress.training() as callback:
            train(replace(self.recipe.train, fresh=force), callback)


class Export(Step):
    """Run folder to bundle."""

    name = "export"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The bundle."""
        return (self.recipe.paths.bundle,)

    def inputs(self) -> dict[str, Any]:
        """The configuration and the contents of its images."""
        config = self.recipe.export
        found = self._settings(config, "data", "calibration_data")
        assert config.data is not None
        found["data_sha256"] = self.hashes.data(config.data)
        if config.calibration_data is not None:
            found["calibration_data_sha256"] = self.hashes.data(config.calibration_data)
        return found

    def run(self, progress: RecipeProgress, force: bool) -> None:
        """Exports."""
        on_tensorflow(self._export, progress)

    def _export(self, progress: RecipeProgress) -> None:
        from exporter.exporting import export_bundle

        with progress.working() as callback:
            exported = export_bundle(self.recipe.export, callback)
        exported.raise_for_unmade()
        exported.raise_for_unmet_rules()


class Check(Step):
    """Bundle and full model to a verdict."""

    name = "check"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The report, as JSON and as a page."""
        return self.recipe.paths.check_json, self.recipe.paths.check_page

    def inputs(self) -> dict[str, Any]:
        """The options except ``inconclusive``, which changes the exit code and no result."""
        config = self.recipe.check
        assert config.data is not None
        found = self._settings(config, "data", "inconclusive")
        return found | {"data_sha256": self.hashes.data(config.data)}

    def run(self, progress: RecipeProgress, force: bool) -> None:
        """Checks; a verdict other than ``pass`` is a result like any other."""
        on_tensorflow(self._check, progress)

    def _check(self, progress: RecipeProgress) -> None:
        from edge_runtime.common.atomic_file import write_whole
        from exporter.checking import run_check

        with progress.working() as callback:
            found = run_check(self.recipe.check, page=True, progress=callback)
        assert found.page is not None
        write_whole(self.recipe.paths.check_page, found.page)
        write_whole(self.recipe.paths.check_json, f"{json.dumps(found.report.to_dict(), indent=2)}\n")


def on_tensorflow(work: Callable[..., None], *arguments: object) -> None:
    """Calls a function here, or in a new process where this one runs Keras on another backend.

    Args:
        work: What to call; it and its arguments can be pickled.
        arguments: Its arguments.

    Raises:
        SnapshipError: As the function raises.
    """
    keras = sys.modules.get("keras")
    if keras is None or keras.backend.backend() == _BACKEND:
        _call(work, *arguments)
        return
    # Not forked: the new process must not inherit this one's backend.
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(_call, work, *arguments).result()


def _call(work: Callable[..., None], *arguments: object) -> None:
    # Before TensorFlow is imported, which imports Keras: KERAS_BACKEND was meant for training.
    if os.environ.get(_VARIABLE, _BACKEND) != _BACKEND:
        os.environ[_VARIABLE] = _BACKEND
    work(*arguments)


def _weights_sha256(path: str) -> str:
    """Hash of a weights file, or of every file of a folder of weights; 64 hex digits."""
    try:
        return weights_sha256(path)
    except OSError as error:
        raise UsageError(
            f"weights must be imagenet, none or an existing file. Received: {path} ({error.strerror}). "
            "Check the path."
        ) from error

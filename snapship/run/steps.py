"""The steps of a recipe: what each is made of, what it does, and what it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from snapship.run.apart import on_tensorflow
from snapship.run.contents import Contents
from snapship.run.settings import Settings
from snapship.run.watching import Watcher
from snapship.version import version


class Step(Protocol):
    """One step."""

    @property
    def name(self) -> str:
        """Its name, such as ``export``."""
        ...

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files and folders that it leaves."""
        ...

    def inputs(self) -> Mapping[str, Any]:
        """What it is made of, without the step before; plain data."""
        ...

    def run(self, watcher: Watcher, force: bool) -> None:
        """Does it; its outputs appear whole or not at all."""
        ...


def steps_of(settings: Settings) -> tuple[Step, ...]:
    """The steps in the order in which they run.

    Args:
        settings: The recipe.
    """
    contents = Contents()
    return Train(settings, contents), Export(settings, contents), Check(settings, contents)


@dataclass(frozen=True)
class Train:
    """Data to a run folder."""

    settings: Settings
    contents: Contents
    name: str = "train"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The run folder."""
        return (self.settings.layout.run,)

    def inputs(self) -> Mapping[str, Any]:
        """The configuration, and the contents of the data and of the weights."""
        config = self.settings.train
        found = _inputs(config, self.settings.values["train"], "data", "cache_dir", "logs", "weights")
        weights = config.weights if config.pretrained else None
        if weights is None or weights in ("imagenet", "none"):
            found["weights"] = weights or "none"
        else:
            found["weights_sha256"] = self.contents.weights(weights)
        return found | {"data_sha256": self.contents.data(config.data), "snapship": version()}

    def run(self, watcher: Watcher, force: bool) -> None:
        """Trains; a run that was cut off goes on unless forced."""
        from trainer import train

        config: Any = self.settings.train
        if force and hasattr(config, "fresh"):
            config = replace(config, fresh=True)
        with watcher.training() as progress:
            train(config, progress)


@dataclass(frozen=True)
class Export:
    """Run folder to bundle."""

    settings: Settings
    contents: Contents
    name: str = "export"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The bundle."""
        return (self.settings.layout.bundle,)

    def inputs(self) -> Mapping[str, Any]:
        """The configuration and the contents of its images."""
        config = self.settings.export
        found = _inputs(config, self.settings.values["export"], "data", "calibration_data")
        assert config.data is not None
        found["data_sha256"] = self.contents.data(config.data)
        if config.calibration_data is not None:
            found["calibration_data_sha256"] = self.contents.data(config.calibration_data)
        return found | {"snapship": version()}

    def run(self, watcher: Watcher, force: bool) -> None:
        """Exports."""
        on_tensorflow(self._export, watcher)

    def _export(self, watcher: Watcher) -> None:
        from exporter.exporting import export_bundle

        with watcher.working() as progress:
            exported = export_bundle(self.settings.export, progress)
        exported.raise_for_unmade()


@dataclass(frozen=True)
class Check:
    """Bundle and full model to a verdict."""

    settings: Settings
    contents: Contents
    name: str = "check"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """What was found, as JSON and for people."""
        return self.settings.layout.check_json, self.settings.layout.check_page

    def inputs(self) -> Mapping[str, Any]:
        """The options but ``inconclusive``, which changes the exit code and no result."""
        options = self.settings.check
        assert options.data is not None
        found = _inputs(options, self.settings.values["check"], "data", "inconclusive")
        return found | {"data_sha256": self.contents.data(options.data), "snapship": version()}

    def run(self, watcher: Watcher, force: bool) -> None:
        """Checks; a verdict that is not ``pass`` is a result like any other."""
        on_tensorflow(self._check, watcher)

    def _check(self, watcher: Watcher) -> None:
        from edge_runtime.atomic_file import write_whole
        from exporter.checking import check_with

        layout = self.settings.layout
        with watcher.working() as progress:
            found = check_with(self.settings.check, page=True, progress=progress)
        assert found.page is not None
        write_whole(layout.check_page, found.page)
        write_whole(layout.check_json, f"{json.dumps(found.report.to_dict(), indent=2)}\n")


def _inputs(config: object, values: Mapping[str, Any], *others: str) -> dict[str, Any]:
    """The settled keys of a configuration, as it normalised them; paths count by content or not at all."""
    return {key: getattr(config, key) for key in values if key not in others}

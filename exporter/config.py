"""What to export, and how it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UsageError
from edge_runtime.spec import Fit
from exporter.gate import DEFAULT_MARGIN, check_margin
from exporter.kinds import DEFAULT_KINDS, Kind, parse_kinds


@dataclass(frozen=True)
class ExportConfig:
    """One export.

    Attributes:
        source: A run folder, or a ``.keras`` or ``.h5`` file that takes raw pixels.
        out: The bundle: a folder, or a file that ends in ``.zip``.
        artifacts: Kinds to write.
        data: Labelled images to judge on (their val split) and, without
            calibration_data, to calibrate on (their train split). None takes the run's.
        calibration_data: Other images to calibrate on; then all of ``data`` judges.
        calibration: How many images calibrate the int8 artifacts.
        labels: File of class names, for a source that is no run folder.
        fit: How images become the input's size, for a source that is no run folder.
        name: The bundle's name; None takes the source's.
        margin: Largest top-1 drop that passes, in fractions of 1.
        golden: How many golden examples to write, 0 to 100.
        check: Whether to compare the artifacts with the full model.
        overwrite: Replace a bundle that is there.
    """

    source: str | Path
    out: str | Path
    artifacts: tuple[str, ...] = DEFAULT_KINDS
    data: str | Path | None = None
    calibration_data: str | Path | None = None
    calibration: int = 200
    labels: str | Path | None = None
    fit: Fit = "stretch"
    name: str | None = None
    margin: float = DEFAULT_MARGIN
    golden: int = 5
    check: bool = True
    overwrite: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot work before anything slow starts.

        Raises:
            UsageError: A value is out of its range.
        """
        if not 1 <= self.calibration <= 100_000:
            raise UsageError(
                f"calibration must be 1 to 100000 images. Received: {self.calibration}. Pass --calibration 200."
            )
        if not 0 <= self.golden <= 100:
            raise UsageError(f"golden must be 0 to 100 examples. Received: {self.golden}. Pass --golden 5.")
        check_margin(self.margin)
        if self.name is not None and not valid_name(self.name):
            raise UsageError(
                f"A bundle's name must be letters, digits, '.', '_' and '-'. Received: {self.name!r}. "
                "Pass another --name."
            )
        self.kinds  # noqa: B018 - names are looked up now, not after training data was read

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The kinds of :attr:`artifacts`.

        Raises:
            UnknownNameError: One is not known.
        """
        return parse_kinds(self.artifacts)


def valid_name(name: str) -> bool:
    """Whether a name can begin the files of a bundle on every system."""
    return (
        0 < len(name) <= 80
        and name[0] not in ".-"
        and all(sign.isascii() and (sign.isalnum() or sign in "._-") for sign in name)
    )

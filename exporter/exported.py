"""The result of an export: the bundle, and what was asked for that is not in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edge_runtime.bundle.bundle import Bundle
from edge_runtime.common.errors import DataError, ModelFileError


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        bundle: The bundle, open.
        unmade: Artifacts that could not be made, and are not in it: the error by kind.
        named: The kinds named one by one, :attr:`ExportConfig.named`.
        unmet_rules: Why rules that were asked for are not in it, by kind.
    """

    bundle: Bundle
    unmade: Mapping[str, str]
    named: frozenset[str]
    unmet_rules: Mapping[str, tuple[str, ...]]

    def raise_for_unmade(self) -> None:
        """Raises an error if the bundle lacks an artifact that was named.

        Raises:
            ModelFileError: It does; the bundle is still written.
        """
        missing = [kind for kind in self.unmade if kind in self.named]
        if missing:
            raise ModelFileError(
                f"Every artifact that --artifacts names must be made. Received: {self.bundle.location} without "
                f"{', '.join(missing)} ({self.unmade[missing[0]].rstrip('.')}). "
                "Use the bundle as it is, or leave these out."
            )

    def raise_for_unmet_rules(self) -> None:
        """Raises an error if the bundle lacks a rule that was asked for.

        Raises:
            DataError: It does, for an artifact that was judged; the bundle is still written.
        """
        if self.unmet_rules:
            kind, reasons = next(iter(self.unmet_rules.items()))
            raise DataError(
                f"Every rule that is asked for must be made. Received: {self.bundle.location} without rules for "
                f"{', '.join(self.unmet_rules)} ({kind}: {'; '.join(reasons)}). Use the bundle without them, "
                "pass more images with --data, or ask for less."
            )

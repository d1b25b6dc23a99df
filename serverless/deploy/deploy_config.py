"""Everything that ``snapship deploy`` is given."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UsageError
from serverless.deploy.config import Deployment


@dataclass(frozen=True)
class DeployConfig:
    """What to deploy, and how carefully.

    Attributes:
        deployment: The desired endpoint.
        bundle: The bundle to package; None with ``package``.
        package: A zip made by ``snapship package``.
        artifact: The kind to package; None picks the best.
        bucket: The user's own bucket for the code; None for the bucket of the account and region.
        canary: Share of the calls, 0 to 1, that the new version gets first; 0 for no canary.
        canary_minutes: How long to watch the alarms during a canary. They evaluate whole minutes
            and need some calls.

    Raises:
        UsageError: The canary's share or minutes are out of range.
    """

    deployment: Deployment
    bundle: Path | None = None
    package: Path | None = None
    artifact: str | None = None
    bucket: str | None = None
    canary: float = 0.0
    canary_minutes: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.canary < 1:
            raise UsageError(
                f"--canary must be at least 0 % and below 100 %. Received: {self.canary:.0%}. Pass e.g. 10%."
            )
        if self.canary and self.deployment.provisioned_concurrency is not None:
            raise UsageError(
                "--canary splits calls by weights, which AWS does not allow on an alias with --provisioned. "
                "Received: both. Leave one out."
            )
        if not 0 <= self.canary_minutes <= 24 * 60:
            raise UsageError(
                f"--canary-minutes must be 0 to 1440. Received: {self.canary_minutes:g}. Pass e.g. 5."
            )

"""What ``snapship deploy`` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UsageError
from serverless.deploy.config import Deployment

CANARY_MINUTES = 5.0
"""How long alarms are watched unless told otherwise: they look at minutes, and need some calls."""


@dataclass(frozen=True)
class DeployConfig:
    """What to deploy, and how carefully.

    Attributes:
        deployment: The endpoint as it shall be.
        bundle: What to package; None with ``package``.
        package: A zip of ``snapship package``.
        artifact: The kind to package; None takes the best.
        bucket: The user's own bucket for code; None for that of the account and region.
        canary: Share of calls, 0 to 1, that the new version gets first; 0 for no canary.
        canary_minutes: How long the alarms are watched then.

    Raises:
        UsageError: The canary is no share, or its minutes are none.
    """

    deployment: Deployment
    bundle: Path | None = None
    package: Path | None = None
    artifact: str | None = None
    bucket: str | None = None
    canary: float = 0.0
    canary_minutes: float = CANARY_MINUTES

    def __post_init__(self) -> None:
        if not 0 <= self.canary < 1:
            raise UsageError(
                f"--canary must be at least 0 % and below 100 %. Received: {self.canary:.0%}. Pass such as 10%."
            )
        if self.canary and self.deployment.provisioned_concurrency is not None:
            raise UsageError(
                "--canary shares calls by weights, which AWS refuses on an alias with --provisioned. "
                "Received: both. Leave one out."
            )
        if not 0 <= self.canary_minutes <= 24 * 60:
            raise UsageError(
                f"--canary-minutes must be 0 to 1440. Received: {self.canary_minutes:g}. Pass such as 5."
            )

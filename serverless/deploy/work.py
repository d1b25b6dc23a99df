"""The context that the steps of a deployment share."""

from __future__ import annotations

from dataclasses import dataclass

from serverless.aws import Connection
from serverless.deploy.config import Deployment
from serverless.deploy.deploy_config import DeployConfig
from serverless.deploy.lock import Lock
from serverless.deploy.stack import Progress


@dataclass
class Context:
    """A deployment in progress.

    Attributes:
        config: What to deploy, and how.
        aws: The account and region.
        progress: Progress callback.
        step: The current step.
        lock: Held once there is a code bucket.
    """

    config: DeployConfig
    aws: Connection
    progress: Progress
    step: str = ""
    lock: Lock | None = None

    @property
    def deployment(self) -> Deployment:
        """The desired endpoint."""
        return self.config.deployment

    def begin(self, step: str) -> None:
        """Starts a step: checks the lock and reports the step.

        Args:
            step: The step, as the beginning of a sentence.

        Raises:
            LockedError: Somebody else has taken over the lock.
        """
        if self.lock is not None:
            self.lock.check()
        self.step = step
        self.progress(step)

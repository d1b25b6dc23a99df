"""A deployment under way, which its stages share."""

from __future__ import annotations

from dataclasses import dataclass

from serverless.aws import Connection
from serverless.deploy.config import Deployment
from serverless.deploy.deploy_config import DeployConfig
from serverless.deploy.lock import Lock
from serverless.deploy.stack import Say


@dataclass
class Work:
    """A deployment under way.

    Attributes:
        config: What and how.
        aws: Where.
        say: Told of every step.
        doing: The step that it is at.
        lock: Held once there is a code bucket.
    """

    config: DeployConfig
    aws: Connection
    say: Say
    doing: str = ""
    lock: Lock | None = None

    @property
    def deployment(self) -> Deployment:
        """The endpoint as it shall be."""
        return self.config.deployment

    def begin(self, what: str) -> None:
        """Before every step: makes sure of the lock and says the step.

        Args:
            what: The step, as the beginning of a sentence.

        Raises:
            BusyError: Somebody else has taken the lock over.
        """
        if self.lock is not None:
            self.lock.check()
        self.doing = what
        self.say(what)

"""Errors between this machine and AWS; all others come from ``edge_runtime`` and ``serverless.aws``.

::

    SnapshipError
    ├── UsageError
    │   └── LimitError               exit 2   over a limit of AWS
    ├── GateFailedError
    │   ├── SelfCheckError           exit 1   packaged files that answer differently than at export
    │   └── RolledBackError          exit 1   the new version failed, the old one serves again
    ├── EnvironmentMissingError
    │   ├── DownloadError            exit 4   a wheel for the zip is not available
    │   ├── CredentialsError         exit 4   AWS rejects the credentials or denies access
    │   └── UnreachableError         exit 4   no answer from AWS
    └── AwsError                     exit 2   AWS refused a request
        ├── MissingResourceError     exit 2   a name, bucket or version does not exist
        └── DeployError              exit 2   a deployment that cannot continue, with its reason
            ├── LockedError          exit 2   somebody else is deploying the same name
            └── StoppedError         exit 130 Ctrl-C; says what AWS is doing and how to continue
"""

from __future__ import annotations

from edge_runtime.common.errors import EnvironmentMissingError, GateFailedError, UsageError
from serverless.aws import AwsError


class LimitError(UsageError):
    """A value exceeds a limit of AWS; the message gives the value and the limit."""


class SelfCheckError(GateFailedError):
    """Packaged files that do not run, or answer differently than at export."""


class RolledBackError(GateFailedError):
    """A new version failed its self-test or set off an alarm; the old one serves again."""


class DownloadError(EnvironmentMissingError):
    """A wheel for the zip is neither in the cache nor available from the index."""


class DeployError(AwsError):
    """A deployment that AWS cannot complete, or that is in an invalid state."""


class LockedError(DeployError):
    """Another deployment of the same name is in progress."""


class StoppedError(DeployError):
    """Ctrl-C during a deployment; AWS finishes the step it is working on."""

    exit_code = 130

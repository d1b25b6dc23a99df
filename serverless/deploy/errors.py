"""What goes wrong between this machine and AWS; the other errors are those of ``edge_runtime``.

::

    SnapshipError
    ├── UsageError
    │   └── LimitError               exit 2   over a limit of AWS
    ├── GateFailedError
    │   ├── SelfCheckError           exit 1   packaged files that do not answer as at export
    │   └── RolledBackError          exit 1   the new version failed, the old one serves again
    ├── EnvironmentMissingError
    │   ├── DownloadError            exit 4   a package of the zip cannot be had
    │   ├── CredentialsError         exit 4   AWS does not know or not allow who asks
    │   └── UnreachableError         exit 4   no answer from AWS
    └── AwsError                     exit 2   AWS refused what was asked for
        ├── MissingResourceError     exit 2   not there: a name, a bucket, a version
        └── DeployError              exit 2   a deployment that cannot go on, with its reason
            ├── BusyError            exit 2   somebody else is deploying the same name
            └── StoppedError         exit 130 Ctrl-C; says what AWS is doing and how to go on
"""

from __future__ import annotations

from edge_runtime.errors import EnvironmentMissingError, GateFailedError, UsageError
from serverless.aws import AwsError, CredentialsError, MissingResourceError, UnreachableError

__all__ = [
    "AwsError",
    "BusyError",
    "CredentialsError",
    "DeployError",
    "DownloadError",
    "LimitError",
    "MissingResourceError",
    "RolledBackError",
    "SelfCheckError",
    "StoppedError",
    "UnreachableError",
]


class LimitError(UsageError):
    """More than AWS allows; the message says the actual and the allowed number."""


class SelfCheckError(GateFailedError):
    """Packaged files that do not run, or do not give the answers of the export."""


class RolledBackError(GateFailedError):
    """A new version that failed its self-test or raised an alarm; the old one serves again."""


class DownloadError(EnvironmentMissingError):
    """A package of the zip that is neither in the cache nor to be had from the index."""


class DeployError(AwsError):
    """A deployment that AWS cannot bring to its end, or that is not as it must be."""


class BusyError(DeployError):
    """A deployment of the same name that is under way."""


class StoppedError(DeployError):
    """Ctrl-C in the middle; AWS goes on with what it was asked for."""

    exit_code = 130

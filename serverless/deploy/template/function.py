"""The function and its code, its log group, its version, and the alias that callers use."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.deployment_config import Deployment

FUNCTION = "Function"
LOG_GROUP = "LogGroup"
ALIAS = "LiveAlias"
ROLE = "Role"

ALIAS_NAME = "live"
HANDLER = "serverless.app.handler"


@dataclass(frozen=True)
class Code:
    """A package, and where it is stored.

    Attributes:
        bucket: The bucket it is uploaded to; None leaves it to the parameter ``CodeBucket``.
        key: Its key there; None leaves it to the parameter ``CodeKey``.
        sha256: SHA-256 of the zip in hex; if there is no zip yet, of its inputs.
        zipped: Whether the zip exists; otherwise the parameter ``CodeSha256`` takes its hash.

    Raises:
        UsageError: sha256 is not 64 hex digits.
    """

    bucket: str | None
    key: str | None
    sha256: str
    zipped: bool = True

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256, re.ASCII):
            raise UsageError(
                f"The code's sha256 must be 64 hex digits. Received: {self.sha256!r}. Pass the zip's SHA-256."
            )

    @property
    def published(self) -> str | dict[str, str]:
        """Hash of the zip that a version is published from, in Lambda's notation."""
        if not self.zipped:
            return {"Ref": "CodeSha256"}
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()


def resources(deployment: Deployment, code: Code, version: str) -> dict[str, Any]:
    """The function and what belongs to it.

    Args:
        deployment: The desired endpoint.
        code: The package.
        version: The version's logical id.
    """
    provisioned = deployment.provisioned_concurrency
    return {
        LOG_GROUP: {
            "Type": "AWS::Logs::LogGroup",
            # The default, made explicit: destroy removes what deploy created.
            "DeletionPolicy": "Delete",
            "UpdateReplacePolicy": "Delete",
            "Properties": {
                "LogGroupName": f"/aws/lambda/{deployment.stack}",
                "RetentionInDays": deployment.retention_days,
            },
        },
        FUNCTION: {
            "Type": "AWS::Lambda::Function",
            # Otherwise the function's first log line could create the group, without a retention.
            "DependsOn": LOG_GROUP,
            "Properties": {
                **_configuration(deployment),
                "Code": {"S3Bucket": {"Ref": "CodeBucket"}, "S3Key": {"Ref": "CodeKey"}},
                **some(ReservedConcurrentExecutions=deployment.reserved_concurrency),
            },
        },
        version: {
            "Type": "AWS::Lambda::Version",
            # The next deployment has a version of another name and drops this one from the stack; it must
            # be kept for a rollback. Deleting the function deletes all its versions. A version from a
            # failed deployment must not be kept: Lambda refuses to publish the same thing again.
            "DeletionPolicy": "RetainExceptOnCreate",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "FunctionName": {"Ref": FUNCTION},
                # A version is published only from the packaged code, not from a file put in its place.
                "CodeSha256": code.published,
            },
        },
        ALIAS: {
            "Type": "AWS::Lambda::Alias",
            "Properties": {
                "Name": ALIAS_NAME,
                "FunctionName": {"Ref": FUNCTION},
                "FunctionVersion": {"Fn::GetAtt": [version, "Version"]},
                **some(
                    ProvisionedConcurrencyConfig=provisioned
                    and {"ProvisionedConcurrentExecutions": provisioned}
                ),
            },
        },
    }


def logical_id_of_version(deployment: Deployment, code: Code) -> str:
    """Names a version after its content: ``Version`` and 16 hex digits.

    CloudFormation publishes a version only if the resource is new to the stack, so its name must
    change with the code and the configuration. It must change with nothing else, as Lambda refuses to
    publish the same version again: reserved concurrency, tags and the location of the zip are not part
    of a version.

    Args:
        deployment: The desired endpoint.
        code: The package.
    """
    content = json.dumps([code.sha256, _configuration(deployment)], sort_keys=True)
    return f"Version{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _configuration(deployment: Deployment) -> dict[str, Any]:
    """The properties of the function that a version freezes, besides the code."""
    return {
        "FunctionName": deployment.stack,
        "Description": f"snapship: image classifier {deployment.name}",
        "Handler": HANDLER,
        "Runtime": f"python{deployment.python}",
        "Architectures": [deployment.arch],
        "MemorySize": deployment.memory_mb,
        "Timeout": deployment.timeout_s,
        "EphemeralStorage": {"Size": deployment.storage_mb},
        "Role": {"Fn::GetAtt": [ROLE, "Arn"]},
        "Environment": {"Variables": deployment.variables()},
        **some(SnapStart={"ApplyOn": "PublishedVersions"} if deployment.snapstart else None),
    }


def some(**properties: Any) -> dict[str, Any]:
    """The properties that have a value."""
    return {name: value for name, value in properties.items() if value is not None}


def arn(service: str, resource: str) -> dict[str, Any]:
    """An ARN in the stack's own account, region and partition, where a reference is not possible.

    Args:
        service: E.g. ``ssm``.
        resource: Its last part; CloudFormation substitutes ``${...}`` in it.
    """
    # A bucket's ARN has no account and region.
    place = ":" if service == "s3" else "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}

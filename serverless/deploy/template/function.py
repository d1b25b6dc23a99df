"""The function, its log group, its version, and the alias that callers use."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template.code import Code

FUNCTION = "Function"
LOG_GROUP = "LogGroup"
ALIAS = "LiveAlias"
ROLE = "Role"

ALIAS_NAME = "live"
HANDLER = "serverless.app.handler"


def resources(deployment: Deployment, code: Code, version: str) -> dict[str, Any]:
    """The function and what belongs to it.

    Args:
        deployment: The desired endpoint.
        code: The package.
        version: The version's logical id.
    """
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
                **_some(ReservedConcurrentExecutions=deployment.reserved_concurrency),
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
                **_provisioned(deployment),
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
        **({"SnapStart": {"ApplyOn": "PublishedVersions"}} if deployment.snapstart else {}),
    }


def _provisioned(deployment: Deployment) -> dict[str, Any]:
    if deployment.provisioned_concurrency is None:
        return {}
    count = {"ProvisionedConcurrentExecutions": deployment.provisioned_concurrency}
    return {"ProvisionedConcurrencyConfig": count}


def _some(**properties: Any) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value is not None}

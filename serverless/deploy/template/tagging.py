"""Tags on every resource that supports them."""

from __future__ import annotations

from typing import Any

from serverless.deploy.config import NAME_TAG, Deployment

_AS_LIST = {
    "AWS::CloudWatch::Alarm",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
    "AWS::Logs::LogGroup",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
}
_AS_MAP = {"AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage"}


def tagged(resources: dict[str, Any], deployment: Deployment) -> dict[str, Any]:
    """Adds the tags.

    Args:
        resources: Resources, by logical id.
        deployment: The deployment whose name and tags they get.
    """
    return {name: _tagged(resource, tags(deployment)) for name, resource in resources.items()}


def tags(deployment: Deployment) -> dict[str, str]:
    """The tags of every resource of a deployment.

    Args:
        deployment: The desired endpoint.
    """
    return {NAME_TAG: deployment.name, **dict(sorted(deployment.tags.items()))}


def _tagged(resource: dict[str, Any], pairs: dict[str, str]) -> dict[str, Any]:
    kind = resource["Type"]
    value: Any
    if kind in _AS_LIST:
        value = [{"Key": key, "Value": text} for key, text in pairs.items()]
    elif kind in _AS_MAP:
        value = pairs
    else:
        return resource
    return {**resource, "Properties": {**resource["Properties"], "Tags": value}}

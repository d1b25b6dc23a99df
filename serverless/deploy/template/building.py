"""Builds the template from its parts, tags its resources, and says what each is for.

One file per part::

    role       what the function may do
    function   log group, function, version, alias
    front      function URL or HTTP API, and who may use it
    events     bucket, rule, queues, warm-up, and the permissions for them to call
    alarms     errors, latency, lost events

Every caller calls the alias ``live``, so moving the alias moves all of them.
"""

from __future__ import annotations

import json
import re
from typing import Any

from serverless.deploy.config.deployment_config import NAME_TAG, Deployment
from serverless.deploy.template import alarms, events, front, function, role
from serverless.deploy.template.function import Code

_PURPOSES = {
    "LogGroup": "the function's log, kept for --retention-days",
    "Function": "runs the classifier",
    "LiveAlias": "points to the version that callers get",
    "Role": "permissions of the function, and no more",
    "FunctionUrl": "the HTTPS URL",
    "PublicUrl": "lets anyone use the URL",
    "PublicInvoke": "lets anyone call the function through the URL",
    "HttpApi": "the HTTPS URL",
    "HttpIntegration": "passes requests to the function",
    "HttpRoute": "every path and method, and who may call",
    "HttpPreflight": "answers browsers' unsigned preflight requests",
    "HttpStage": "publishes the API",
    "HttpInvoke": "lets the API call the function",
    "ErrorAlarm": "goes off when a call fails",
    "LatencyAlarm": "goes off when calls are slow",
    "LostEventAlarm": "goes off when the dead-letter queue is not empty",
    **events.PURPOSES,
}
"""What each resource is for, by logical id; for people who look before they deploy."""

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
"""Resource types with tags, by the form of those tags."""


def template(deployment: Deployment, code: Code) -> dict[str, Any]:
    """Builds the CloudFormation template of a deployment.

    It needs the capability ``CAPABILITY_IAM``. Its parameters are ``CodeBucket`` and ``CodeKey``,
    with defaults from ``code``, and ``CodeSha256`` if the zip does not exist yet.

    Args:
        deployment: The desired endpoint.
        code: The package.

    Returns:
        Plain data, for :func:`text`. All calls go to the new version;
        :mod:`serverless.deploy.traffic.stage_templates` derives the templates of a canary from it.
    """
    version = function.logical_id_of_version(deployment, code)
    sources = events.sources(deployment)
    permissions = [entry for source in sources for entry in source.permissions]
    resources: dict[str, Any] = {
        **function.resources(deployment, code, version),
        **role.resources(deployment, permissions),
        **front.resources(deployment),
        **{name: entry for source in sources for name, entry in source.resources.items()},
        **alarms.resources(deployment, lost_events=any(source.keeps_failures for source in sources)),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"snapship: endpoint of the image classifier {deployment.name}",
        "Parameters": _parameters(code),
        "Resources": tagged(resources, deployment),
        "Outputs": {
            "Url": _output("URL of the endpoint", front.url(deployment)),
            "FunctionName": _output("Name of the function", {"Ref": function.FUNCTION}),
            "LiveVersion": _output(
                "Version that gets most calls",
                resources[function.ALIAS]["Properties"]["FunctionVersion"],
            ),
            "NewVersion": _output("Version with this template's code", {"Fn::GetAtt": [version, "Version"]}),
            "LogGroup": _output("Log group of the function", {"Ref": function.LOG_GROUP}),
            **{name: _output("Name of the alarm", {"Ref": name}) for name in (alarms.ERRORS, alarms.LATENCY)},
            **{name: _output(*output) for source in sources for name, output in source.outputs.items()},
        },
    }


def text(template: dict[str, Any]) -> str:
    """Writes a template as JSON; equal templates give equal text.

    Args:
        template: Built by :func:`template`.
    """
    return json.dumps(template, indent=2, ensure_ascii=False) + "\n"


def _parameters(code: Code) -> dict[str, Any]:
    described = {
        "CodeBucket": (code.bucket, "Bucket with the package, in the stack's region"),
        "CodeKey": (
            code.key,
            f"Key of the package{f', whose SHA-256 is {code.sha256}' if code.zipped else ''}",
        ),
    }
    if not code.zipped:
        described["CodeSha256"] = (
            None,
            "SHA-256 of the package in base64: openssl dgst -sha256 -binary lambda.zip | base64",
        )
    return {
        name: {"Type": "String", "Description": text, **function.some(Default=value)}
        for name, (value, text) in described.items()
    }


def _output(description: str, value: Any) -> dict[str, Any]:
    return {"Description": description, "Value": value}


def purpose(name: str) -> str:
    """What a resource is for.

    Args:
        name: Its logical id.
    """
    if re.fullmatch("Version[0-9a-f]{16}", name):
        return "this code and configuration, immutable"
    return _PURPOSES[name]


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

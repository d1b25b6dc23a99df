"""Builds the template from its parts.

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
from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template import alarms, events, front, function, role
from serverless.deploy.template.code import Code
from serverless.deploy.template.tagging import tagged


def template(deployment: Deployment, code: Code) -> dict[str, Any]:
    """Builds the CloudFormation template of a deployment.

    It needs the capability ``CAPABILITY_IAM``. Its parameters are ``CodeBucket`` and ``CodeKey``,
    with defaults from ``code``, and ``CodeSha256`` if the zip does not exist yet.

    Args:
        deployment: The desired endpoint.
        code: The package.

    Returns:
        Plain data, for :func:`text`. All calls go to the new version;
        :mod:`serverless.deploy.handover` derives the templates of a canary from it.
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
        name: {"Type": "String", "Description": text, **({} if value is None else {"Default": value})}
        for name, (value, text) in described.items()
    }


def _output(description: str, value: Any) -> dict[str, Any]:
    return {"Description": description, "Value": value}

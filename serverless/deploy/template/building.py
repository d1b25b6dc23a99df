"""The whole template from its parts.

Parts, a file each::

    role       what the function may do
    function   log group, function, version, alias
    front      the address: function URL or HTTP API, and who may use it
    events     bucket, rule, queues, warm-up, and what lets them call
    alarms     errors, latency, lost events

Everything that calls the function calls its alias ``live``, so that one switch moves all.
"""

from __future__ import annotations

from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template import alarms, events, front, function, role
from serverless.deploy.template.code import Code
from serverless.deploy.template.tagging import tagged


def template(deployment: Deployment, code: Code) -> dict[str, Any]:
    """Makes the CloudFormation template of a deployment.

    It needs the capability ``CAPABILITY_IAM``. Its parameters are ``CodeBucket`` and ``CodeKey``,
    which default to what ``code`` says, and ``CodeSha256`` where the zip is not made yet.

    Args:
        deployment: What it shall be.
        code: The package.

    Returns:
        Plain data, for :func:`serverless.deploy.template.writing.text`. All calls go to the new
        version; :mod:`serverless.deploy.handover` makes the templates of a canary from it.
    """
    version = function.logical_id_of_version(deployment, code)
    resources: dict[str, Any] = {
        **function.resources(deployment, code, version),
        **role.resources(deployment),
        **front.resources(deployment),
        **events.resources(deployment),
        **alarms.resources(deployment),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"snapship: the image classifier {deployment.name} as an endpoint",
        "Parameters": _parameters(code),
        "Resources": tagged(resources, deployment),
        "Outputs": {
            "Url": _output("Address of the endpoint", front.url(deployment)),
            "FunctionName": _output("The function", {"Ref": function.FUNCTION}),
            "LiveVersion": _output(
                "Version that answers most calls",
                resources[function.ALIAS]["Properties"]["FunctionVersion"],
            ),
            "NewVersion": _output("Version of this template's code", {"Fn::GetAtt": [version, "Version"]}),
            "LogGroup": _output("Where it logs", {"Ref": function.LOG_GROUP}),
            **{name: _output("Name of the alarm", {"Ref": name}) for name in (alarms.ERRORS, alarms.LATENCY)},
            **{name: _output(*output) for name, output in events.outputs(deployment).items()},
        },
    }


def _parameters(code: Code) -> dict[str, Any]:
    described = {
        "CodeBucket": (code.bucket, "Bucket that holds the package, in the stack's region"),
        "CodeKey": (
            code.key,
            f"Key of the package{f', whose sha256 is {code.sha256}' if code.zipped else ''}",
        ),
    }
    if not code.zipped:
        described["CodeSha256"] = (
            None,
            "The package's SHA-256 in base64: openssl dgst -sha256 -binary lambda.zip | base64",
        )
    return {
        name: {"Type": "String", "Description": text, **({} if value is None else {"Default": value})}
        for name, (value, text) in described.items()
    }


def _output(description: str, value: Any) -> dict[str, Any]:
    return {"Description": description, "Value": value}

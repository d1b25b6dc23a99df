"""The function's role, with one statement for each thing it does.

No statement covers all resources or all actions of a service, and where AWS has a condition that
narrows a permission further, it is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.rules import results_place
from serverless.deploy.template import function
from serverless.deploy.template.function import arn, some


def resources(deployment: Deployment, more: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The execution role.

    Args:
        deployment: The desired endpoint.
        more: Statements for its events.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    statements = [_logs(), *_keys(deployment), *_results(deployment), *more]
    return {
        function.ROLE: {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Description": f"Permissions of the function {deployment.stack}",
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {
                        "PolicyName": "function",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements},
                    }
                ],
                **some(PermissionsBoundary=deployment.permissions_boundary),
            },
        }
    }


def _logs() -> dict[str, Any]:
    # The group's ARN ends with :*, which covers its streams. The stack creates the group, so no CreateLogGroup.
    return allow(
        "Log", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [function.LOG_GROUP, "Arn"]}
    )


def _keys(deployment: Deployment) -> list[dict[str, Any]]:
    if deployment.keys_parameter is None:
        return []
    parameter = arn("ssm", f"parameter/{deployment.keys_parameter.lstrip('/')}")
    # The id of the key aws/ssm differs between accounts, so the conditions are its alias and its use.
    decrypt = allow("DecryptKeys", ["kms:Decrypt"], arn("kms", "key/*"))
    decrypt["Condition"] = {
        "StringEquals": {
            "kms:ViaService": {"Fn::Sub": "ssm.${AWS::Region}.amazonaws.com"},
            "kms:EncryptionContext:PARAMETER_ARN": parameter,
        },
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/aws/ssm"},
    }
    return [allow("ReadKeys", ["ssm:GetParameter"], parameter), decrypt]


def _results(deployment: Deployment) -> list[dict[str, Any]]:
    if deployment.results is not None:
        bucket, prefix = results_place(deployment.results)
    elif deployment.input_bucket is not None:
        bucket, prefix = deployment.input_bucket, ""
    else:
        return []
    return [allow("WriteResults", ["s3:PutObject"], arn("s3", f"{bucket}/{prefix}*.json"))]


def allow(sid: str, actions: list[str], resource: Any) -> dict[str, Any]:
    """A statement that allows actions on a resource.

    Args:
        sid: Its name, unique in the role.
        actions: E.g. ``["s3:GetObject"]``.
        resource: An ARN.
    """
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}

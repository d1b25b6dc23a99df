"""What the function may do: its role, with one statement for each thing it does.

No statement names all resources or all actions of a service; where AWS has a condition that
narrows a permission further, it is used.
"""

from __future__ import annotations

from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.config_rules import results_place
from serverless.deploy.template import events, function
from serverless.deploy.template.arns import arn


def resources(deployment: Deployment) -> dict[str, Any]:
    """The execution role.

    Args:
        deployment: What it shall be.
    """
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    boundary = deployment.permissions_boundary
    return {
        function.ROLE: {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "Description": f"What the function {deployment.stack} may do",
                "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
                "Policies": [
                    {
                        "PolicyName": "function",
                        "PolicyDocument": {"Version": "2012-10-17", "Statement": statements(deployment)},
                    }
                ],
                **({} if boundary is None else {"PermissionsBoundary": boundary}),
            },
        }
    }


def statements(deployment: Deployment) -> list[dict[str, Any]]:
    """Every permission of the function.

    Args:
        deployment: What it shall be.
    """
    return [_logs(), *_keys(deployment), *_objects(deployment), *_queues(deployment)]


def _logs() -> dict[str, Any]:
    # The group's ARN ends with :*, its streams. The stack makes the group, so CreateLogGroup is not needed.
    return _allow(
        "Log", ["logs:CreateLogStream", "logs:PutLogEvents"], {"Fn::GetAtt": [function.LOG_GROUP, "Arn"]}
    )


def _keys(deployment: Deployment) -> list[dict[str, Any]]:
    if deployment.keys_parameter is None:
        return []
    parameter = arn("ssm", f"parameter/{deployment.keys_parameter.lstrip('/')}")
    # The id of the key aws/ssm differs by account, so its name and its use are the conditions.
    decrypt = _allow("DecryptKeys", ["kms:Decrypt"], arn("kms", "key/*"))
    decrypt["Condition"] = {
        "StringEquals": {
            "kms:ViaService": {"Fn::Sub": "ssm.${AWS::Region}.amazonaws.com"},
            "kms:EncryptionContext:PARAMETER_ARN": parameter,
        },
        "ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/aws/ssm"},
    }
    return [_allow("ReadKeys", ["ssm:GetParameter"], parameter), decrypt]


def _objects(deployment: Deployment) -> list[dict[str, Any]]:
    found = []
    bucket, prefix = deployment.input_bucket, ""
    if bucket is not None:
        # A bucket that exists may keep versions, and its events name them.
        actions = ["s3:GetObject", *(["s3:GetObjectVersion"] if deployment.bucket_exists else [])]
        found.append(_allow("ReadImages", actions, arn("s3", f"{bucket}/*")))
        # Without it, S3 says of an image that is gone that it is forbidden, and the event is tried for hours.
        found.append(_allow("TellWhatIsGone", ["s3:ListBucket"], arn("s3", bucket)))
    if deployment.results is not None:
        bucket, prefix = results_place(deployment.results)
    if bucket is not None:
        found.append(_allow("WriteResults", ["s3:PutObject"], arn("s3", f"{bucket}/{prefix}*.json")))
    return found


def _queues(deployment: Deployment) -> list[dict[str, Any]]:
    found = []
    if deployment.queue:
        # What Lambda does in the function's name with a queue that it polls.
        actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        found.append(_allow("TakeMessages", actions, {"Fn::GetAtt": [events.QUEUE, "Arn"]}))
    if deployment.input_bucket is not None:
        dead = {"Fn::GetAtt": [events.DEAD_LETTERS, "Arn"]}
        found.append(_allow("KeepFailedEvents", ["sqs:SendMessage"], dead))
    return found


def _allow(sid: str, actions: list[str], resource: Any) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource}

"""ARNs of resources that the template does not create, or cannot refer to without a circle."""

from __future__ import annotations

from typing import Any


def arn(service: str, resource: str) -> dict[str, Any]:
    """An ARN in the stack's own account, region and partition.

    Args:
        service: E.g. ``ssm``.
        resource: Its last part; CloudFormation substitutes ``${...}`` in it.
    """
    # A bucket's ARN has no account and region.
    place = ":" if service == "s3" else "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}

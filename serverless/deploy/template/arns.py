"""ARNs of what the template does not make, or must not refer to, as that would make a circle."""

from __future__ import annotations

from typing import Any


def arn(service: str, resource: str) -> dict[str, Any]:
    """An ARN in the stack's own account, region and partition.

    Args:
        service: Such as ``ssm``.
        resource: Its last part; ``${...}`` in it is filled in by CloudFormation.
    """
    # Buckets are named without account and region.
    place = ":" if service == "s3" else "${AWS::Region}:${AWS::AccountId}"
    return {"Fn::Sub": f"arn:${{AWS::Partition}}:{service}:{place}:{resource}"}

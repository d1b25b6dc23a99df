"""What each resource of a template is for, for people who look before they deploy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_PURPOSES = {
    "LogGroup": "what the function prints, kept for the days given",
    "Function": "runs the classifier",
    "LiveAlias": "the version that callers get",
    "Role": "what the function may do, and no more",
    "FunctionUrl": "the HTTPS address",
    "PublicUrl": "lets everyone use the address",
    "PublicInvoke": "lets everyone reach the function through the address",
    "HttpApi": "the HTTPS address",
    "HttpIntegration": "hands requests to the function",
    "HttpRoute": "every path and method, and who may call",
    "HttpPreflight": "lets browsers ask, unsigned, which pages may call",
    "HttpStage": "makes the API reachable",
    "HttpInvoke": "lets the API call the function",
    "DeadLetterQueue": "what failed every time, kept for two weeks",
    "Queue": "work for the function",
    "QueueMapping": "hands messages to the function",
    "EventInvokeConfig": "retries events and keeps those that fail for good",
    "BucketInvoke": "lets the bucket call the function",
    "InputBucket": "new images in it are classified",
    "BucketRule": "tells the function of new images in the bucket",
    "BucketRuleInvoke": "lets the rule call the function",
    "WarmUpRule": "calls the function now and then, so that one instance is ready",
    "WarmUpRuleInvoke": "lets the rule call the function",
    "ErrorAlarm": "goes off when a call fails",
    "LatencyAlarm": "goes off when calls are slow",
    "LostEventAlarm": "goes off when the dead-letter queue holds something",
}


@dataclass(frozen=True)
class Row:
    """One resource, in words.

    Attributes:
        resource: Its logical id.
        type: CloudFormation's type.
        purpose: What it is for.
    """

    resource: str
    type: str
    purpose: str


def describe(template: dict[str, Any]) -> tuple[Row, ...]:
    """Lists the resources of a template, in its order.

    Args:
        template: Of :func:`serverless.deploy.template.building.template`.
    """
    return tuple(
        Row(name, resource["Type"], _purpose(name)) for name, resource in template["Resources"].items()
    )


def _purpose(name: str) -> str:
    if re.fullmatch("Version[0-9a-f]{16}", name):
        return "this code and configuration, unchangeable"
    return _PURPOSES[name]

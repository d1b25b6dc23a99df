"""The purpose of each resource of a template, for people who look before they deploy."""

from __future__ import annotations

import re

from serverless.deploy.template import events

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


def purpose(name: str) -> str:
    """What a resource is for.

    Args:
        name: Its logical id.
    """
    if re.fullmatch("Version[0-9a-f]{16}", name):
        return "this code and configuration, immutable"
    return _PURPOSES[name]

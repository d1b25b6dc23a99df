"""Alarms: errors and latency of the alias, and lost events."""

from __future__ import annotations

from typing import Any

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import events, function

ERRORS = "ErrorAlarm"
LATENCY = "LatencyAlarm"
LOST = "LostEventAlarm"

PERIOD_S = 60

METRICS_NAMESPACE = "snapship"
"""Default namespace of the app's own metrics (serverless/app/core/telemetry.py)."""


def resources(deployment: Deployment, *, lost_events: bool) -> dict[str, Any]:
    """The alarms.

    Args:
        deployment: The desired endpoint.
        lost_events: Whether there is a dead-letter queue to watch.
    """
    found = {
        ERRORS: _alarm(
            deployment,
            "A call crashed, timed out or was answered with HTTP 5xx",
            Metrics=_errors(deployment),
            Threshold=0,
        ),
        LATENCY: _alarm(
            deployment,
            f"p99 latency is above {deployment.latency_limit_ms} ms",
            Namespace="AWS/Lambda",
            MetricName="Duration",
            Dimensions=_live(deployment),
            Period=PERIOD_S,
            ExtendedStatistic="p99",
            Threshold=deployment.latency_limit_ms,
        ),
    }
    if lost_events:
        found[LOST] = _alarm(
            deployment,
            "A message or an event kept failing and is in the dead-letter queue",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": {"Fn::GetAtt": [events.DEAD_LETTERS, "QueueName"]}}],
            Period=PERIOD_S,
            Statistic="Maximum",
            Threshold=0,
        )
    return found


def _alarm(deployment: Deployment, description: str, **metric: Any) -> dict[str, Any]:
    actions = None if deployment.alarm_topic is None else [deployment.alarm_topic]
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"{deployment.stack}: {description}",
            **metric,
            # One bad minute out of five stops a rollout; no calls are fine. Five rather than one, because the
            # app's metric arrives late and FILL would show a minute as good before its data is in (CloudWatch's
            # guide, "Using metric math", advises an M out of N alarm).
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            **function.some(AlarmActions=actions, OKActions=actions),
        },
    }


def _errors(deployment: Deployment) -> list[dict[str, Any]]:
    """The failures that Lambda counts, plus those that only the app counts.

    To Lambda, an answer with status 500 is a success; the app never sees its own crash.
    """
    namespace = deployment.environment.get("SNAPSHIP_METRICS_NAMESPACE") or METRICS_NAMESPACE
    answers = [{"Name": "Function", "Value": {"Ref": function.FUNCTION}}]
    return [
        {"Id": "failed", "Expression": "FILL(crashes, 0) + FILL(answers, 0)", "Label": "Failed calls"},
        _summed("crashes", "AWS/Lambda", _live(deployment)),
        _summed("answers", namespace, answers),
    ]


def _summed(name: str, namespace: str, dimensions: list[dict[str, Any]]) -> dict[str, Any]:
    metric = {"Namespace": namespace, "MetricName": "Errors", "Dimensions": dimensions}
    return {
        "Id": name,
        "MetricStat": {"Metric": metric, "Period": PERIOD_S, "Stat": "Sum"},
        "ReturnData": False,
    }


def _live(deployment: Deployment) -> list[dict[str, Any]]:
    return [
        {"Name": "FunctionName", "Value": {"Ref": function.FUNCTION}},
        {"Name": "Resource", "Value": f"{deployment.stack}:{function.ALIAS_NAME}"},
    ]

"""Alarms: errors and latency of the alias, and events that were lost."""

from __future__ import annotations

from typing import Any

from serverless.deploy.config import Deployment
from serverless.deploy.template import events, function

ERRORS = "ErrorAlarm"
LATENCY = "LatencyAlarm"
LOST = "LostEventAlarm"

PERIOD_S = 60

METRICS_NAMESPACE = "snapship"
"""Where the app's own metrics are unless told otherwise (serverless/app/telemetry.py)."""


def resources(deployment: Deployment) -> dict[str, Any]:
    """The alarms.

    Args:
        deployment: What it shall be.
    """
    found = {
        ERRORS: _alarm(
            deployment,
            "A call crashed, took too long or was answered with HTTP 5xx",
            Metrics=_errors(deployment),
            Threshold=0,
        ),
        LATENCY: _alarm(
            deployment,
            f"1 in 100 calls took longer than {deployment.latency_limit_ms} ms",
            Namespace="AWS/Lambda",
            MetricName="Duration",
            Dimensions=_live(deployment),
            Period=PERIOD_S,
            ExtendedStatistic="p99",
            Threshold=deployment.latency_limit_ms,
        ),
    }
    if deployment.queue or deployment.input_bucket is not None:
        found[LOST] = _alarm(
            deployment,
            "A message or an event failed every time and lies in the dead-letter queue",
            Namespace="AWS/SQS",
            MetricName="ApproximateNumberOfMessagesVisible",
            Dimensions=[{"Name": "QueueName", "Value": {"Fn::GetAtt": [events.DEAD_LETTERS, "QueueName"]}}],
            Period=PERIOD_S,
            Statistic="Maximum",
            Threshold=0,
        )
    return found


def _alarm(deployment: Deployment, description: str, **metric: Any) -> dict[str, Any]:
    topic = deployment.alarm_topic
    return {
        "Type": "AWS::CloudWatch::Alarm",
        "Properties": {
            "AlarmDescription": f"{deployment.stack}: {description}",
            **metric,
            # One bad minute of five is enough to stop a roll-out; no calls are no trouble. Five and not one: the
            # app's metric comes late, and FILL would show a minute as good that is not known yet (CloudWatch's
            # guide, "Using metric math", advises an alarm of M out of N).
            "EvaluationPeriods": 5,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            **({} if topic is None else {"AlarmActions": [topic], "OKActions": [topic]}),
        },
    }


def _errors(deployment: Deployment) -> list[dict[str, Any]]:
    """What Lambda counts, and the answers that the app itself counts as failed.

    To Lambda an answer with status 500 is a success; to the app a crash never happened.
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

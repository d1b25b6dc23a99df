"""Watches a deployment's alarms while a new version gets a share of the calls."""

from __future__ import annotations

import time
from collections.abc import Sequence

import msgspec

from serverless.aws import Connection, answered
from serverless.deploy.lock import Lock
from serverless.deploy.stack import Progress, Resource

POLL_SECONDS = 10.0
"""Our alarms evaluate whole minutes, so this is often enough."""


class Alarm(msgspec.Struct, frozen=True):
    """The state of an alarm.

    Attributes:
        name: Its name.
        state: ``OK``, ``ALARM`` or ``INSUFFICIENT_DATA``.
        reason: CloudWatch's reason for the state.
    """

    name: str
    state: str
    reason: str


def states(aws: Connection, names: Sequence[str]) -> tuple[Alarm, ...]:
    """Looks up alarms.

    Args:
        aws: The account and region.
        names: Their names; missing alarms are left out.
    """
    if not names:
        return ()
    with answered("Looking up the alarms"):
        found = aws.client("cloudwatch").describe_alarms(AlarmNames=list(names))["MetricAlarms"]
    return tuple(
        Alarm(entry["AlarmName"], entry["StateValue"], " ".join(entry.get("StateReason", "").split()))
        for entry in found
    )


def names(resources: Sequence[Resource]) -> tuple[str, ...]:
    """Names of a stack's error and latency alarms; old dead letters say nothing about a version.

    Args:
        resources: The stack's resources.
    """
    return tuple(
        entry.physical_id
        for entry in resources
        if entry.type == "AWS::CloudWatch::Alarm" and entry.logical_id in ("ErrorAlarm", "LatencyAlarm")
    )


def watch(
    aws: Connection, names: Sequence[str], minutes: float, lock: Lock, progress: Progress
) -> Alarm | None:
    """Watches alarms until one goes off or the time is up.

    Args:
        aws: The account and region.
        names: The alarms.
        minutes: How long to watch.
        lock: Checked meanwhile.
        progress: Progress callback, called once a minute.

    Returns:
        The alarm that went off; None if none did.
    """
    begin = time.monotonic()
    reported = -1
    while True:
        lock.check()
        for alarm in states(aws, names):
            if alarm.state == "ALARM":
                return alarm
        passed = time.monotonic() - begin
        left = minutes * 60 - passed
        if left <= 0:
            return None
        if int(passed // 60) > reported:
            reported = int(passed // 60)
            progress(f"No alarm; {left / 60:.0f} minutes to go")
        time.sleep(min(POLL_SECONDS, left))

"""What AWS does that no local server shows: each of these would fail, or pass by silence, only there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.template import Code, template

CODE = Code("code", "key.zip", "0" * 64)


def resources(**wishes: Any) -> dict[str, Any]:
    found: dict[str, Any] = template(Deployment("flowers", **wishes), CODE)["Resources"]
    return found


def test_alarms_outlast_metrics_that_come_late() -> None:
    for name, resource in resources(queue=True).items():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            properties = resource["Properties"]
            assert (properties["DatapointsToAlarm"], properties["EvaluationPeriods"]) == (1, 5), name


@pytest.mark.parametrize(
    ("wishes", "wanted"),
    [
        ({"auth": "aws-iam", "cors_origins": ("https://a.example",)}, True),
        ({"auth": "aws-iam"}, False),
        ({"auth": "none", "cors_origins": ("https://a.example",)}, False),
    ],
)
def test_preflights_of_a_signed_http_api_have_an_open_route(wishes: dict[str, Any], wanted: bool) -> None:
    found = resources(front="http-api", **wishes)
    assert ("HttpPreflight" in found) is wanted
    if wanted:
        assert found["HttpPreflight"]["Properties"]["RouteKey"] == "OPTIONS /{proxy+}"
        assert found["HttpRoute"]["Properties"]["AuthorizationType"] == "AWS_IAM"


def test_a_dead_letter_queue_has_a_name_that_no_other_deployment_can_have() -> None:
    dead = resources(queue=True)["DeadLetterQueue"]["Properties"]["QueueName"]
    assert dead == "snapship-flowers_dead"
    with pytest.raises(UsageError):
        Deployment("flowers_dead")


def test_a_queue_takes_no_more_at_a_time_than_aws_allows() -> None:
    mapping = resources(queue=True, reserved_concurrency=5000)["QueueMapping"]["Properties"]
    assert mapping["ScalingConfig"] == {"MaximumConcurrency": 1000}


def test_a_version_on_trial_has_room_beside_the_provisioned_ones() -> None:
    with pytest.raises(UsageError, match="below"):
        Deployment("flowers", reserved_concurrency=2, provisioned_concurrency=2)
    Deployment("flowers", reserved_concurrency=3, provisioned_concurrency=2)


def test_a_canary_excludes_provisioned_instances() -> None:
    deployment = Deployment("flowers", provisioned_concurrency=2)
    with pytest.raises(UsageError, match="--canary"):
        DeployConfig(deployment, bundle=Path("flowers.bundle"), canary=0.1)

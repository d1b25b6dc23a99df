"""What a deployment may be, and what it says when it may not."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.common.errors import UnknownNameError, UsageError
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.errors import LimitError
from serverless.deploy.config.rules import results_place


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ({"memory_mb": 127}, ("127", "128", "10240")),
        # cfn-lint lets this one and the next pass.
        ({"memory_mb": 10241}, ("10241", "10240")),
        ({"storage_mb": 20000}, ("20000", "10240")),
        ({"storage_mb": 511}, ("511", "512")),
        ({"timeout_s": 0}, ("0", "1", "900")),
        ({"timeout_s": 901}, ("901", "900")),
        ({"front": "http-api", "timeout_s": 31}, ("31", "30")),
        ({"retention_days": 31}, ("31", "60")),
        ({"reserved_concurrency": 0}, ("0", "1")),
        ({"provisioned_concurrency": 0}, ("0", "1")),
        ({"warm_up_minutes": 61}, ("61", "60")),
        ({"timeout_s": 3, "alarm_p99_ms": 3000}, ("3000", "2999")),
        ({"snapstart": True, "storage_mb": 513}, ("513", "512")),
        ({"environment": {"BLOB": "x" * 4096}}, ("4096",)),
        ({"tags": {f"t{n}": "v" for n in range(50)}}, ("50", "49")),
    ],
)
def test_number_over_a_limit_is_refused_with_both_numbers(
    options: dict[str, Any], numbers: tuple[str, ...]
) -> None:
    with pytest.raises(LimitError) as caught:
        Deployment("flowers", **options)
    text = str(caught.value)
    assert "Received: " in text
    assert "\n" not in text
    for number in numbers:
        assert number in text


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "Flowers"}, "lower-case"),
        ({"name": "-a"}, "'-a'"),
        ({"name": "a--b"}, "'a--b'"),
        ({"name": "a" * 56}, "55"),
        ({"name": "a\nb"}, "name"),
        ({"auth": "api-key"}, "keys_parameter"),
        ({"auth": "none", "keys_parameter": "/a"}, "api-key"),
        ({"auth": "api-key", "keys_parameter": "a/b"}, "keys_parameter"),
        ({"auth": "api-key", "keys_parameter": "/aws/b"}, "keys_parameter"),
        ({"auth": "api-key", "keys_parameter": "/a/*"}, "keys_parameter"),
        ({"auth": "api-key", "keys_parameter": "/${AWS::Region}"}, "keys_parameter"),
        ({"cors_origins": ("https://a.b/",)}, "origins"),
        ({"cors_origins": ("*",)}, "origins"),
        ({"input_bucket": "A"}, "input_bucket"),
        ({"input_bucket": "a*b"}, "input_bucket"),
        ({"input_bucket": "a..b"}, "input_bucket"),
        ({"bucket_exists": True}, "input_bucket"),
        ({"results": "s3://acme-out/"}, "without input_bucket or queue"),
        ({"input_bucket": "acme-in", "results": "s3://acme-out/no-slash"}, "slash"),
        ({"input_bucket": "acme-in", "results": "s3://acme-out/*/"}, "results"),
        ({"input_bucket": "acme-in", "results": "s3://acme-out/${a}/"}, "results"),
        ({"snapstart": True, "provisioned_concurrency": 1}, "excludes"),
        ({"reserved_concurrency": 1, "provisioned_concurrency": 2}, "2 of 1"),
        ({"environment": {"AWS_REGION": "x"}}, "AWS_REGION"),
        ({"environment": {"1A": "x"}}, "1A"),
        ({"environment": {"SNAPSHIP_AUTH": "none"}}, "Use --auth"),
        ({"environment": {"SNAPSHIP_ENDPOINT_AUTH": "none"}}, "Use --auth"),
        ({"tags": {"aws:x": "y"}}, "aws:"),
        ({"tags": {"snapship:name": "y"}}, "snapship:"),
        ({"alarm_topic": "alarms"}, "arn:aws:sns:"),
        ({"permissions_boundary": "arn:aws:sns:::x"}, "arn:aws:iam:"),
    ],
)
def test_option_that_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        Deployment(**{"name": "flowers", **options})
    assert said in str(caught.value)
    assert "Received: " in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["arch", "python", "auth", "front"])
def test_choice_that_is_unknown_lists_those_that_exist(option: str) -> None:
    with pytest.raises(UnknownNameError, match="Use one of: "):
        Deployment("flowers", **{option: "3.11"})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"name": "a" * 55},
        {"memory_mb": 128},
        {"memory_mb": 10240, "storage_mb": 10240},
        {"timeout_s": 900},
        # Events may take longer than the API waits.
        {"front": "http-api", "timeout_s": 900, "queue": True},
        {"auth": "api-key", "environment": {"SNAPSHIP_API_KEYS": "a:scrypt:1:2:3:ff:ff"}},
        {"timeout_s": 1},
    ],
)
def test_values_at_the_limits_are_taken(options: dict[str, Any]) -> None:
    Deployment(**{"name": "flowers", **options})


def test_latency_limit_is_a_tenth_of_the_timeout_unless_given() -> None:
    assert Deployment("a", timeout_s=30).latency_limit_ms == 3000
    assert Deployment("a", timeout_s=30, alarm_p99_ms=250).latency_limit_ms == 250


def test_results_place_splits_bucket_and_prefix() -> None:
    assert results_place("s3://acme-out/") == ("acme-out", "")
    assert results_place("s3://acme-out/a/b/") == ("acme-out", "a/b/")

"""What each option of a deployment changes in the template."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from edge_runtime.common.errors import UsageError
from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.template import Code, logical_id_of_version, purpose, template

CODE = Code("packages", "flowers.zip", "ab" * 32)


def resources(**options: Any) -> dict[str, Any]:
    found: dict[str, Any] = template(Deployment("flowers", **options), CODE)["Resources"]
    return found


def properties(name: str, **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = resources(**options)[name]["Properties"]
    return found


def version_of(**options: Any) -> str:
    return logical_id_of_version(Deployment("flowers", **options), CODE)


def test_function_is_as_the_options_say() -> None:
    function = properties(
        "Function", arch="arm64", python="3.13", memory_mb=1024, timeout_s=12, storage_mb=600,
        reserved_concurrency=7, environment={"SNAPSHIP_TOP_K": "3"},
    )  # fmt: skip
    assert function["FunctionName"] == "snapship-flowers"
    assert function["Handler"] == "serverless.app.handler"
    assert function["Runtime"] == "python3.13"
    assert function["Architectures"] == ["arm64"]
    assert (function["MemorySize"], function["Timeout"]) == (1024, 12)
    assert function["EphemeralStorage"] == {"Size": 600}
    assert function["ReservedConcurrentExecutions"] == 7
    assert function["Environment"]["Variables"] == {
        "OPENBLAS_NUM_THREADS": "1",
        "ORT_DISABLE_TELEMETRY": "1",
        "SNAPSHIP_AUTH": "none",
        "SNAPSHIP_ENDPOINT_AUTH": "aws-iam",
        "SNAPSHIP_TOP_K": "3",
    }
    assert "SnapStart" not in function


def test_plain_function_has_no_concurrency_and_no_snapshot() -> None:
    assert "ReservedConcurrentExecutions" not in properties("Function")
    assert "ProvisionedConcurrencyConfig" not in properties("LiveAlias")


def test_snapstart_is_of_published_versions() -> None:
    assert properties("Function", snapstart=True)["SnapStart"] == {"ApplyOn": "PublishedVersions"}


def test_provisioned_concurrency_is_of_the_alias() -> None:
    config = properties("LiveAlias", provisioned_concurrency=4)["ProvisionedConcurrencyConfig"]
    assert config == {"ProvisionedConcurrentExecutions": 4}


def test_code_place_is_a_parameter_with_the_uploaded_one_as_default() -> None:
    made = template(Deployment("flowers"), CODE)
    assert made["Parameters"]["CodeBucket"]["Default"] == "packages"
    assert made["Parameters"]["CodeKey"]["Default"] == "flowers.zip"
    without = template(Deployment("flowers"), Code(None, None, "ab" * 32))
    assert "Default" not in without["Parameters"]["CodeBucket"]
    assert "Default" not in without["Parameters"]["CodeKey"]
    assert made["Resources"] == without["Resources"]


@pytest.mark.parametrize(
    "changed",
    [
        {"memory_mb": 512},
        {"timeout_s": 20},
        {"storage_mb": 1024},
        {"arch": "arm64"},
        {"python": "3.13"},
        {"python": "3.14"},
        {"snapstart": True},
        {"auth": "none", "cors_origins": ("https://example.com",)},
        {"environment": {"SNAPSHIP_TOP_K": "3"}},
    ],
)
def test_version_gets_another_name_when_its_content_changes(changed: dict[str, Any]) -> None:
    assert version_of(**changed) != version_of()


@pytest.mark.parametrize(
    "changed",
    [
        # Lambda refuses to publish a version that equals the last one.
        {"reserved_concurrency": 5},
        {"provisioned_concurrency": 5},
        {"tags": {"team": "vision"}},
        {"retention_days": 7},
        {"alarm_p99_ms": 99},
        {"front": "http-api"},
        {"queue": True},
    ],
)
def test_version_keeps_its_name_when_only_its_surroundings_change(changed: dict[str, Any]) -> None:
    assert version_of(**changed) == version_of()


def test_version_is_named_by_the_code_and_not_by_where_it_lies() -> None:
    deployment = Deployment("flowers")
    name = logical_id_of_version(deployment, CODE)
    assert name.startswith("Version")
    assert len(name) == len("Version") + 16
    assert name == logical_id_of_version(deployment, Code("other", "key", "ab" * 32))
    assert name != logical_id_of_version(deployment, Code("packages", "flowers.zip", "ac" * 32))


def test_version_is_published_of_this_code_alone_and_outlives_the_next_deployment() -> None:
    version = resources()[version_of()]
    assert base64.b64decode(version["Properties"]["CodeSha256"]).hex() == CODE.sha256
    assert version["DeletionPolicy"] == "RetainExceptOnCreate"


def test_all_calls_go_to_the_new_version() -> None:
    new = {"Fn::GetAtt": [version_of(), "Version"]}
    alias = properties("LiveAlias")
    assert (alias["Name"], alias["FunctionVersion"]) == ("live", new)
    assert "RoutingConfig" not in alias
    outputs = template(Deployment("flowers"), CODE)["Outputs"]
    assert outputs["LiveVersion"]["Value"] == outputs["NewVersion"]["Value"] == new


def test_url_for_signed_callers_has_no_permission() -> None:
    found = resources(auth="aws-iam")
    assert found["FunctionUrl"]["Properties"]["AuthType"] == "AWS_IAM"
    assert found["FunctionUrl"]["Properties"]["Qualifier"] == "live"
    assert not [name for name, entry in found.items() if entry["Type"] == "AWS::Lambda::Permission"]


@pytest.mark.parametrize("auth", ["none", "api-key"])
def test_url_for_everyone_has_both_permissions(auth: str) -> None:
    options = {"auth": auth, **({"keys_parameter": "/k"} if auth == "api-key" else {})}
    found = resources(**options)
    assert found["FunctionUrl"]["Properties"]["AuthType"] == "NONE"
    assert found["PublicUrl"]["Properties"]["Action"] == "lambda:InvokeFunctionUrl"
    assert found["PublicInvoke"]["Properties"]["InvokedViaFunctionUrl"] is True


@pytest.mark.parametrize(("auth", "kind"), [("aws-iam", "AWS_IAM"), ("none", "NONE")])
def test_http_api_stands_in_place_of_the_url(auth: str, kind: str) -> None:
    found = resources(front="http-api", auth=auth)
    assert "FunctionUrl" not in found
    assert found["HttpRoute"]["Properties"]["AuthorizationType"] == kind
    assert found["HttpIntegration"]["Properties"]["IntegrationUri"] == {"Ref": "LiveAlias"}
    assert found["HttpInvoke"]["Properties"]["Principal"] == "apigateway.amazonaws.com"
    url = template(Deployment("flowers", front="http-api", auth=auth), CODE)["Outputs"]["Url"]["Value"]  # type: ignore[arg-type]
    assert url["Fn::Sub"].startswith("https://${HttpApi}.execute-api.")


@pytest.mark.parametrize(("front", "name", "field"), [
    ("url", "FunctionUrl", "Cors"),
    ("http-api", "HttpApi", "CorsConfiguration"),
])  # fmt: skip
def test_cors_is_answered_once(front: str, name: str, field: str) -> None:
    origins = ("https://example.com",)
    signed = resources(front=front, cors_origins=origins)
    assert signed[name]["Properties"][field]["AllowOrigins"] == ["https://example.com"]
    assert "SNAPSHIP_CORS_ORIGINS" not in signed["Function"]["Properties"]["Environment"]["Variables"]
    public = resources(front=front, auth="none", cors_origins=origins)
    assert field not in public[name]["Properties"]
    variables = public["Function"]["Properties"]["Environment"]["Variables"]
    assert variables["SNAPSHIP_CORS_ORIGINS"] == "https://example.com"
    assert field not in resources(front=front)[name]["Properties"]


def test_logs_are_kept_for_the_days_given_and_not_beyond_the_stack() -> None:
    group = resources(retention_days=90)["LogGroup"]
    assert group["Properties"]["LogGroupName"] == "/aws/lambda/snapship-flowers"
    assert group["Properties"]["RetentionInDays"] == 90
    assert group["DeletionPolicy"] == "Delete"


def test_alarms_are_of_the_alias_and_of_the_answers() -> None:
    alarm = properties("LatencyAlarm", alarm_p99_ms=700)
    assert alarm["Threshold"] == 700
    assert alarm["ExtendedStatistic"] == "p99"
    assert {"Name": "Resource", "Value": "snapship-flowers:live"} in alarm["Dimensions"]
    assert "AlarmActions" not in alarm
    failed, crashes, answers = properties("ErrorAlarm")["Metrics"]
    assert failed["Expression"] == "FILL(crashes, 0) + FILL(answers, 0)"
    assert crashes["MetricStat"]["Metric"]["Namespace"] == "AWS/Lambda"
    # As serverless/app/core/telemetry.py writes it.
    assert answers["MetricStat"]["Metric"]["Namespace"] == "snapship"
    assert answers["MetricStat"]["Metric"]["MetricName"] == "Errors"
    assert answers["MetricStat"]["Metric"]["Dimensions"] == [
        {"Name": "Function", "Value": {"Ref": "Function"}}
    ]
    own = properties("ErrorAlarm", environment={"SNAPSHIP_METRICS_NAMESPACE": "acme"})["Metrics"][2]
    assert own["MetricStat"]["Metric"]["Namespace"] == "acme"


def test_alarm_topic_is_told_of_every_alarm() -> None:
    topic = "arn:aws:sns:eu-central-1:123456789012:alarms"
    found = resources(alarm_topic=topic, queue=True)
    alarms = [entry["Properties"] for entry in found.values() if entry["Type"] == "AWS::CloudWatch::Alarm"]
    assert len(alarms) == 3
    assert all(alarm["AlarmActions"] == [topic] for alarm in alarms)


def test_permissions_boundary_is_of_the_role() -> None:
    bound = "arn:aws:iam::123456789012:policy/bound"
    assert properties("Role", permissions_boundary=bound)["PermissionsBoundary"] == bound


def test_keys_may_be_read_from_their_parameter_alone() -> None:
    role = properties("Role", auth="api-key", keys_parameter="/snapship/flowers/keys")
    statements = {entry["Sid"]: entry for entry in role["Policies"][0]["PolicyDocument"]["Statement"]}
    assert statements["ReadKeys"]["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/snapship/flowers/keys"
    }
    condition = statements["DecryptKeys"]["Condition"]["StringEquals"]
    assert condition["kms:EncryptionContext:PARAMETER_ARN"] == statements["ReadKeys"]["Resource"]


def test_each_resource_has_a_purpose() -> None:
    names = list(template(Deployment("flowers"), CODE)["Resources"])
    assert names[:2] == ["LogGroup", "Function"]
    assert purpose("FunctionUrl") == "the HTTPS URL"
    assert purpose(names[2]) == "this code and configuration, immutable"


@pytest.mark.parametrize("sha256", ["", "AB" * 32, "ab" * 31])
def test_code_without_a_sha256_is_refused(sha256: str) -> None:
    with pytest.raises(UsageError, match="64 hex digits"):
        Code(None, None, sha256)

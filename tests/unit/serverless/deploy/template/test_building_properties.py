"""What holds for the template of every deployment: least privilege, and no loose ends."""

from __future__ import annotations

import graphlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from serverless.app.core.settings import AppConfig
from serverless.deploy.config.deployment_config import NAME_TAG, Deployment
from serverless.deploy.config.rules import ENVIRONMENT_BYTES, RETENTION_DAYS
from serverless.deploy.template import Code, purpose, template, text

CODE = Code("packages", "flowers.zip", "ab" * 32)

_results = st.sampled_from([None, "s3://acme-results/", "s3://acme-results/flowers/2026/"])


@st.composite
def deployments(draw: st.DrawFn) -> Deployment:
    """Valid deployments of all kinds."""
    auth = draw(st.sampled_from(["aws-iam", "api-key", "none"]))
    by_parameter = auth == "api-key" and draw(st.booleans())
    keys = {"SNAPSHIP_API_KEYS": "a:scrypt:1:2:3:ff:ff"} if auth == "api-key" and not by_parameter else {}
    bucket = draw(st.sampled_from([None, "acme-images", "acme.images.1"]))
    queue = draw(st.booleans())
    snapstart = draw(st.booleans())
    timeout = draw(st.integers(1, 30))
    return Deployment(
        name=draw(st.from_regex("[a-z](-?[a-z0-9]){0,20}", fullmatch=True)),
        arch=draw(st.sampled_from(["x86_64", "arm64"])),
        python=draw(st.sampled_from(["3.12", "3.13", "3.14"])),
        memory_mb=draw(st.integers(128, 10240)),
        timeout_s=timeout,
        storage_mb=512 if snapstart else draw(st.integers(512, 10240)),
        auth=auth,
        keys_parameter=draw(st.sampled_from(["keys", "/snapship/flowers/keys"])) if by_parameter else None,
        cors_origins=draw(st.sampled_from([(), ("https://example.com",), ("http://a.b:1", "https://c.d")])),
        front=draw(st.sampled_from(["url", "http-api"])),
        retention_days=draw(st.sampled_from(RETENTION_DAYS)),
        reserved_concurrency=draw(st.none() | st.integers(20, 900)),
        provisioned_concurrency=None if snapstart else draw(st.none() | st.integers(1, 19)),
        snapstart=snapstart,
        input_bucket=bucket,
        bucket_exists=bucket is not None and draw(st.booleans()),
        results=draw(_results) if bucket is not None or queue else None,
        queue=queue,
        warm_up_minutes=draw(st.none() | st.integers(1, 60)),
        alarm_p99_ms=draw(st.none() | st.integers(1, timeout * 1000 - 1)),
        alarm_topic=draw(st.sampled_from([None, "arn:aws:sns:eu-central-1:123456789012:alarms"])),
        permissions_boundary=draw(st.sampled_from([None, "arn:aws:iam::123456789012:policy/bound"])),
        environment={**keys, **draw(st.sampled_from([{}, {"SNAPSHIP_TOP_K": "3"}]))},
        tags=draw(st.sampled_from([{}, {"team": "vision", "cost-centre": "7"}])),
    )


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object within a value."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def references(value: Any) -> Iterator[tuple[str, str | None]]:
    """Everything that is referred to: a logical id, and its attribute or None."""
    for node in nodes(value):
        if "Ref" in node:
            yield node["Ref"], None
        if "Fn::GetAtt" in node:
            name, attribute = node["Fn::GetAtt"]
            yield name, attribute
        if "Fn::Sub" in node:
            for name in re.findall(r"\$\{([^}]+)\}", node["Fn::Sub"]):
                yield name, None


def statements(made: dict[str, Any]) -> list[dict[str, Any]]:
    """All statements of the function's role."""
    (policy,) = made["Resources"]["Role"]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


ATTRIBUTES = {
    "AWS::Events::Rule": {"Arn"},
    "AWS::IAM::Role": {"Arn"},
    "AWS::Lambda::Url": {"FunctionUrl"},
    "AWS::Lambda::Version": {"Version"},
    "AWS::Logs::LogGroup": {"Arn"},
    "AWS::SQS::Queue": {"Arn", "QueueName"},
}
"""Those used, as AWS documents them."""

PSEUDO = {"AWS::AccountId", "AWS::Partition", "AWS::Region", "AWS::URLSuffix"}

TAGGABLE = {
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Stage", "AWS::CloudWatch::Alarm", "AWS::Events::Rule",
    "AWS::IAM::Role", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::Logs::LogGroup",
    "AWS::S3::Bucket", "AWS::SQS::Queue",
}  # fmt: skip

every = settings(max_examples=60, deadline=None)


@every
@given(deployments())
def test_template_refers_to_nothing_that_is_not_there(deployment: Deployment) -> None:
    made = template(deployment, CODE)
    resources, parameters = made["Resources"], made["Parameters"]
    for name, attribute in references(made):
        if attribute is None:
            assert name in PSEUDO or name in parameters or name in resources
        else:
            assert attribute in ATTRIBUTES[resources[name]["Type"]]
    for resource in resources.values():
        assert resource.get("DependsOn", "Function") in resources
    assert {name for name, _ in references(resources)} >= set(parameters)


@every
@given(deployments())
def test_template_has_no_circle(deployment: Deployment) -> None:
    resources = template(deployment, CODE)["Resources"]
    needs = {
        name: {other for other, _ in references(resource) if other in resources}
        | ({resource["DependsOn"]} if "DependsOn" in resource else set())
        for name, resource in resources.items()
    }
    # Raises CycleError.
    list(graphlib.TopologicalSorter(needs).static_order())


@every
@given(deployments())
def test_role_has_no_wildcard_action_or_resource(deployment: Deployment) -> None:
    for statement in statements(template(deployment, CODE)):
        assert statement["Effect"] == "Allow"
        assert not {"NotAction", "NotResource"} & set(statement)
        assert all(re.fullmatch("[a-z0-9]+:[A-Z][A-Za-z]+", action) for action in statement["Action"])
        resource = statement["Resource"]
        if "Fn::GetAtt" in resource:
            continue
        named = resource["Fn::Sub"]
        # Partition, service and what stands before the first wildcard are always given.
        assert re.match(r"arn:\$\{AWS::Partition\}:(ssm|s3|kms):[^*?]*[A-Za-z0-9]", named)
        service, last = named.split(":")[4], named.split(":", 7)[-1]
        if "*" in named and service != "s3":
            # The id of a key is not known, so conditions must say which and for what.
            assert service == "kms"
            assert "kms:EncryptionContext:PARAMETER_ARN" in statement["Condition"]["StringEquals"]
            assert (
                statement["Condition"]["ForAnyValue:StringEquals"]["kms:ResourceAliases"] == "alias/aws/ssm"
            )
        if service == "s3":
            assert last.split("/")[0] in ("acme-images", "acme.images.1", "acme-results")


@every
@given(deployments())
def test_role_has_nothing_beyond_the_options(deployment: Deployment) -> None:
    granted = {
        action for statement in statements(template(deployment, CODE)) for action in statement["Action"]
    }
    expected = {"logs:CreateLogStream", "logs:PutLogEvents"}
    if deployment.keys_parameter:
        expected |= {"ssm:GetParameter", "kms:Decrypt"}
    if deployment.input_bucket:
        expected |= {"s3:GetObject", "s3:ListBucket", "s3:PutObject", "sqs:SendMessage"}
    if deployment.bucket_exists:
        expected |= {"s3:GetObjectVersion"}
    if deployment.results:
        expected |= {"s3:PutObject"}
    if deployment.queue:
        expected |= {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
    assert granted == expected


@every
@given(deployments())
def test_callers_are_everyone_only_where_auth_says_so(deployment: Deployment) -> None:
    resources = template(deployment, CODE)["Resources"]
    permissions = [r["Properties"] for r in resources.values() if r["Type"] == "AWS::Lambda::Permission"]
    public = [p for p in permissions if p["Principal"] == "*"]
    if deployment.front == "url" and deployment.auth != "aws-iam":
        assert {p["Action"] for p in public} == {"lambda:InvokeFunctionUrl", "lambda:InvokeFunction"}
        for entry in public:
            assert entry.get("FunctionUrlAuthType") == "NONE" or entry.get("InvokedViaFunctionUrl") is True
    else:
        assert not public
    for entry in permissions:
        assert entry["FunctionName"] == {"Ref": "LiveAlias"}
        assert entry["Principal"] == "*" or "SourceArn" in entry


@every
@given(deployments())
def test_every_resource_is_described_and_tagged(deployment: Deployment) -> None:
    made = template(deployment, CODE)
    assert all(purpose(name) for name in made["Resources"])
    for resource in made["Resources"].values():
        tags = resource["Properties"].get("Tags")
        assert (tags is not None) == (resource["Type"] in TAGGABLE)
        if tags is not None:
            pairs = {tag["Key"]: tag["Value"] for tag in tags} if isinstance(tags, list) else tags
            assert pairs == {NAME_TAG: deployment.name, **deployment.tags}


@every
@given(deployments())
def test_app_reads_the_environment_as_it_was_meant(deployment: Deployment) -> None:
    made = template(deployment, CODE)
    variables = made["Resources"]["Function"]["Properties"]["Environment"]["Variables"]
    assert sum(len(name) + len(value) for name, value in variables.items()) <= ENVIRONMENT_BYTES
    read = AppConfig.read({**variables, "SNAPSHIP_BUNDLE": "bundle"})
    assert read.keyed == (deployment.auth == "api-key")
    assert read.keys_parameter == (deployment.keys_parameter or "")
    assert read.s3_buckets == ((deployment.input_bucket,) if deployment.input_bucket else ())
    assert read.results == (deployment.results or "")
    assert read.bundle == Path("bundle")
    # The app or what stands before it, never both and never neither.
    front = made["Resources"].get("FunctionUrl") or made["Resources"]["HttpApi"]
    answers = front["Properties"].get("Cors") or front["Properties"].get("CorsConfiguration")
    assert bool(deployment.cors_origins) == (bool(read.cors_origins) != bool(answers))


@every
@given(deployments())
def test_text_is_the_same_template(deployment: Deployment) -> None:
    made = template(deployment, CODE)
    assert json.loads(text(made)) == made

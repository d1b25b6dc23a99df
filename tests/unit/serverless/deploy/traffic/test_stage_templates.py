"""Templates of a rollout's stages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.errors import DeployError
from serverless.deploy.template import Code, template
from serverless.deploy.traffic import stage_templates

CODE = Code("code", "code/flowers/x.zip", "0" * 64)

EVERYTHING = Deployment(
    "flowers",
    front="http-api",
    queue=True,
    input_bucket="pets-in",
    warm_up_minutes=5,
    reserved_concurrency=4,
)


def references(node: Any) -> set[str]:
    """Everything that could be a reference, found in another way than by the code."""
    text = json.dumps(node)
    names = {
        name
        for name in template(EVERYTHING, CODE)["Resources"]
        if f'"{name}"' in text or f"${{{name}" in text
    }
    return names


@pytest.mark.parametrize(
    "deployment", [Deployment("flowers"), Deployment("flowers", auth="none"), EVERYTHING]
)
def test_before_traffic_nothing_refers_to_what_is_left_out(deployment: Deployment) -> None:
    whole = template(deployment, CODE)
    early = stage_templates.without_alias(whole)
    kinds = {entry["Type"] for entry in early["Resources"].values()}
    assert {"AWS::Lambda::Function", "AWS::Lambda::Version", "AWS::IAM::Role", "AWS::Logs::LogGroup"} <= kinds
    called_through = {"AWS::Lambda::Alias", "AWS::Lambda::Url", "AWS::Lambda::Permission", "AWS::S3::Bucket"}
    assert not kinds & (called_through | {"AWS::Lambda::EventSourceMapping", "AWS::Events::Rule"})
    gone = set(whole["Resources"]) - set(early["Resources"])
    assert not references([early["Resources"], early.get("Outputs")]) & gone
    # What was given stays as it was.
    assert whole == template(deployment, CODE)


def test_pointed_sends_all_calls_to_one_version() -> None:
    whole = template(Deployment("flowers"), CODE)
    shared = stage_templates.with_canary(stage_templates.with_alias_at(whole, "3"), 0.1)
    properties = stage_templates.with_alias_at(shared, "2")["Resources"][stage_templates.alias_id(shared)][
        "Properties"
    ]
    assert properties["FunctionVersion"] == "2"
    assert "RoutingConfig" not in properties
    assert "RoutingConfig" in shared["Resources"][stage_templates.alias_id(shared)]["Properties"]


def test_what_was_live_is_kept_in_order_and_not_for_ever() -> None:
    whole = template(Deployment("flowers"), CODE)
    assert stage_templates.history_of(whole) == ()
    written = stage_templates.with_history(whole, [str(number) for number in range(20)])
    assert stage_templates.history_of(written) == ("15", "16", "17", "18", "19")
    assert stage_templates.history_of(json.loads(json.dumps(written))) == stage_templates.history_of(written)


def test_same_looks_past_what_was_live_only() -> None:
    whole = template(Deployment("flowers"), CODE)
    assert stage_templates.same(whole, stage_templates.with_history(whole, ["1"]))
    assert not stage_templates.same(whole, template(Deployment("flowers", memory_mb=512), CODE))
    assert not stage_templates.same(whole, stage_templates.with_alias_at(whole, "1"))


def test_the_code_bucket_is_found_through_the_parameters() -> None:
    assert stage_templates.code_bucket_name(template(Deployment("flowers"), CODE)) == "code"
    assert stage_templates.code_bucket_name(template(Deployment("flowers"), Code(None, None, "0" * 64))) == ""
    assert stage_templates.code_bucket_name({"Resources": {}}) == ""


def test_a_template_of_somebody_else_is_told() -> None:
    with pytest.raises(DeployError, match="one AWS::Lambda::Alias"):
        stage_templates.alias_id({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})

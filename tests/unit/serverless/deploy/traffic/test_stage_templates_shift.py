"""Templates between what is live and what shall be: nobody is let in early, nothing is taken away early."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from serverless.deploy.config.deployment_config import Deployment
from serverless.deploy.config.rules import Auth, Front
from serverless.deploy.template import Code, front, template
from serverless.deploy.traffic import stage_templates

OLD = Code("code", "code/flowers/x.zip", "0" * 64)
NEW = Code("code", "code/flowers/y.zip", "1" * 64)

AUTHS: tuple[Auth, ...] = ("aws-iam", "api-key", "none")
FRONTS: tuple[Front, ...] = ("url", "http-api")

Events = dict[str, Any]
EVENTS: tuple[Events, ...] = (
    {},
    {"queue": True},
    {"input_bucket": "pets-in"},
    {"queue": True, "input_bucket": "pets-in", "results": "s3://acme-out/", "warm_up_minutes": 5},
    {"input_bucket": "pets-old", "bucket_exists": True, "cors_origins": ("https://a.example",)},
)


def made(auth: Auth, **options: Any) -> Deployment:
    return Deployment("flowers", auth=auth, keys_parameter="/k" if auth == "api-key" else None, **options)


def dangling(found: Any) -> set[str]:
    """What a template refers to and does not hold."""
    there = found["Resources"].keys() | found["Parameters"].keys() | {"AWS"}
    used = stage_templates.references([found["Resources"], found["Outputs"]])
    return {name for name in used if name not in there and not name.startswith("AWS::")}


def allowed(found: Any) -> list[Any]:
    statements = found["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return [{key: value for key, value in one.items() if key != "Sid"} for one in statements]


def names(found: Any) -> list[str]:
    statements = found["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return [one["Sid"] for one in statements if "Sid" in one]


def address(found: Any) -> Any:
    kept = {name: entry for name, entry in found["Resources"].items() if name in front.IDS}
    return kept, found["Outputs"]["Url"]


@pytest.mark.parametrize(("auth", "shown"), list(itertools.product(AUTHS, FRONTS)))
def test_an_address_is_made_of_nothing_else(auth: Auth, shown: Front) -> None:
    for origins in ((), ("https://a.example",)):
        assert front.resources(made(auth, front=shown, cors_origins=origins)).keys() <= front.IDS
    assert stage_templates.requires_signature(template(made(auth, front=shown), OLD)) == (auth == "aws-iam")


@pytest.mark.parametrize(("before", "after"), list(itertools.product(EVENTS, EVENTS)))
def test_what_is_live_stays_until_the_alias_moves(before: Events, after: Events) -> None:
    for (auth, shown), (next_auth, next_shown) in itertools.product(
        itertools.product(AUTHS, FRONTS), itertools.product(AUTHS, FRONTS)
    ):
        current = template(made(auth, front=shown, **before), OLD)
        final = template(made(next_auth, front=next_shown, memory_mb=512, **after), NEW)
        held = stage_templates.with_new_version(current, final, "7")
        assert not dangling(held)
        assert address(held) == address(current)
        alias = held["Resources"]["LiveAlias"]["Properties"]
        assert alias == {**current["Resources"]["LiveAlias"]["Properties"], "FunctionVersion": "7"}
        assert held["Outputs"]["LiveVersion"]["Value"] == "7"
        for name, entry in current["Resources"].items():
            kind = entry["Type"].rpartition("::")[2]
            if kind not in ("Function", "Version", "Role", "Alias", "Alarm", "LogGroup"):
                assert held["Resources"][name] == entry
        assert stage_templates.version_id(held) == stage_templates.version_id(final)
        assert all(statement in allowed(held) for statement in allowed(current))
        assert len(set(names(held))) == len(names(held))
        # The stages are the same from where a deployment was cut off.
        assert stage_templates.with_new_version(held, final, "7") == held

        closed = stage_templates.with_front_of(held, final)
        assert not dangling(closed)
        assert address(closed) == address(final)
        assert stage_templates.closes_endpoint(held, final) == (auth != "aws-iam" and next_auth == "aws-iam")
        last = closed if stage_templates.closes_endpoint(held, final) else held
        moved = stage_templates.with_alias_moved(last, final)
        assert not dangling(moved)
        assert stage_templates.requires_signature(moved) == (auth == "aws-iam" or next_auth == "aws-iam")
        assert moved["Resources"]["LiveAlias"] == final["Resources"]["LiveAlias"]
        assert all(statement in allowed(moved) for statement in allowed(final))
        keys = [statement for statement in allowed(current) if "ssm:GetParameter" in statement["Action"]]
        assert all(statement in allowed(moved) for statement in keys)


@pytest.mark.parametrize("auth", AUTHS)
def test_new_code_alone_needs_no_further_step(auth: Auth) -> None:
    current, final = template(made(auth), OLD), template(made(auth), NEW)
    held = stage_templates.with_new_version(current, final, "7")
    assert not stage_templates.closes_endpoint(held, final)
    assert stage_templates.same(stage_templates.with_alias_moved(held, final), final)


def test_a_share_is_that_of_the_new_version() -> None:
    final = template(made("aws-iam"), NEW)
    held = stage_templates.with_new_version(
        template(made("aws-iam", provisioned_concurrency=2), OLD), final, "7"
    )
    assert held["Resources"]["LiveAlias"]["Properties"]["ProvisionedConcurrencyConfig"]
    shared = stage_templates.with_canary(held, 0.1)
    assert not dangling(shared)
    properties = shared["Resources"]["LiveAlias"]["Properties"]
    assert properties["FunctionVersion"] == "7"
    assert "ProvisionedConcurrencyConfig" not in properties
    [weight] = properties["RoutingConfig"]["AdditionalVersionWeights"]
    assert weight["FunctionVersion"] == {"Fn::GetAtt": [stage_templates.version_id(final), "Version"]}
    assert weight["FunctionWeight"] == 0.1


def test_a_queue_hides_a_message_long_enough_for_both_versions() -> None:
    for old, new in ((30, 60), (60, 30)):
        current = template(made("aws-iam", queue=True, timeout_s=old, reserved_concurrency=2), OLD)
        final = template(made("aws-iam", queue=True, timeout_s=new), NEW)
        held = stage_templates.with_new_version(current, final, "7")
        assert held["Resources"]["Queue"]["Properties"]["VisibilityTimeout"] == 360
        assert held["Resources"]["Function"]["Properties"]["ReservedConcurrentExecutions"] == 2
        assert "ReservedConcurrentExecutions" not in final["Resources"]["Function"]["Properties"]

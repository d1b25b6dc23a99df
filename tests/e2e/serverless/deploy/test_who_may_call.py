"""Who may call changes with the version that counts on it, at no moment before or after; on a moto server."""

from __future__ import annotations

from typing import Any

import pytest

from edge_runtime.common.errors import SnapshipError
from serverless.aws import Connection
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.errors import StoppedError
from serverless.deploy.config.rules import Auth
from serverless.deploy.deploying import deploy as run
from serverless.deploy.manage.cli import rollback, status
from serverless.deploy.stack import changes


def wished(auth: Auth, **options: Any) -> Deployment:
    keys = "/snapship/flowers/keys" if auth == "api-key" else None
    return Deployment("flowers", auth=auth, keys_parameter=keys, **options)


def address(cloud: Any) -> str:
    """``NONE`` where everyone comes through."""
    found = cloud.client("lambda").get_function_url_config(FunctionName="snapship-flowers")
    return str(found["AuthType"])


def checks(cloud: Any) -> list[str]:
    """What the versions that get calls ask for themselves."""
    number, shares = cloud.alias()
    found = [
        cloud.client("lambda").get_function_configuration(FunctionName="snapship-flowers", Qualifier=version)
        for version in (number, *shares)
    ]
    return [entry["Environment"]["Variables"]["SNAPSHIP_AUTH"] for entry in found]


def allowed(cloud: Any) -> set[str]:
    """What the role may do, by the template: moto does not change a role that there is."""
    body = cloud.client("cloudformation").get_template(StackName="snapship-flowers")["TemplateBody"]
    policy = body["Resources"]["Role"]["Properties"]["Policies"][0]["PolicyDocument"]
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def watched(
    cloud: Any, deployment: Deployment, code: str, *, passed: bool = True, canary: float = 0.0
) -> Any:
    """Deploys; gives what was seen at every line: the address, the checks behind it, and the role."""
    seen = []

    def say(line: str) -> None:
        seen.append((line, address(cloud), checks(cloud), allowed(cloud)))

    cloud.will_answer({"passed": passed, "detail": "scores differ"})
    config = DeployConfig(deployment, package=cloud.zipped(code), canary=canary, canary_minutes=0)
    try:
        run(config, Connection(), say)
    except SnapshipError as error:
        return seen, error
    return seen, None


@pytest.mark.parametrize("passed", [True, False])
@pytest.mark.parametrize(("before", "after"), [("aws-iam", "api-key"), ("api-key", "aws-iam")])
def test_no_version_stands_open_without_its_keys(cloud: Any, before: Auth, after: Auth, passed: bool) -> None:
    assert cloud.deploy("one", "--auth", before).code == 0
    live = (address(cloud), checks(cloud), allowed(cloud))
    seen, error = watched(cloud, wished(after), "two", passed=passed)
    for line, front, asked, actions in seen:
        assert front == "AWS_IAM" or "none" not in asked, line
        # And none lacks what it needs to know its keys.
        assert "api-key" not in asked or "ssm:GetParameter" in actions, line
    if passed:
        assert error is None
        # Within one change set the order is AWS's, so there is a moment of its own between the two.
        between = [state[1:3] for state in seen if state[0].startswith(("Sending all", "Removing what"))]
        assert ("AWS_IAM", ["api-key"]) in between
        assert (address(cloud), checks(cloud)) == (
            ("NONE", ["api-key"]) if after == "api-key" else ("AWS_IAM", ["none"])
        )
        assert ("ssm:GetParameter" in allowed(cloud)) == (after == "api-key")
    else:
        assert "self-test" in str(error)
        assert (address(cloud), checks(cloud)) == live[:2]
        assert live[2] <= allowed(cloud)
        # Going on as it was is one command.
        assert cloud.run(status, "flowers", "--json").json["auth"] == before
        assert cloud.deploy("one", "--auth", before).code == 0
        assert (address(cloud), checks(cloud), allowed(cloud)) == live


@pytest.mark.parametrize("auth", ["aws-iam", "api-key"])
def test_new_code_for_the_same_callers_is_published_and_shifted_to_and_nothing_else(
    cloud: Any, auth: Auth, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = []
    apply = changes.apply
    monkeypatch.setattr(changes, "apply", lambda *given: applied.append(given[1].id) or apply(*given))
    cloud.deploy("one", "--auth", auth)
    applied.clear()
    seen, error = watched(cloud, wished(auth), "two")
    assert error is None
    assert len(applied) == len(set(filter(None, applied))) == 2
    assert not [line for line, *_ in seen if line.startswith(("Closing", "Removing", "Already up to date"))]
    # A change of callers does say so: what is missing above is not only named otherwise.
    seen, error = watched(cloud, wished("api-key" if auth == "aws-iam" else "aws-iam"), "three")
    assert [line for line, *_ in seen if line.startswith(("Closing the endpoint", "Removing what"))]


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [("aws-iam", "api-key", "Removing what"), ("api-key", "aws-iam", "Sending all")],
)
def test_a_change_that_is_cut_off_is_closed_and_goes_on(
    cloud: Any, before: Auth, after: Auth, line: str
) -> None:
    def say(said: str) -> None:
        if said.startswith(line):
            raise KeyboardInterrupt

    cloud.deploy("one", "--auth", before)
    cloud.will_answer({"passed": True})
    with pytest.raises(StoppedError, match="to continue"):
        run(DeployConfig(wished(after), package=cloud.zipped("two")), Connection(), say)
    assert (address(cloud), checks(cloud)) == ("AWS_IAM", ["api-key"])
    assert "ssm:GetParameter" in allowed(cloud)
    assert cloud.run(status, "flowers", "--json").json["auth"] == "aws-iam"
    done = cloud.run(rollback, "flowers")
    if before == "aws-iam":
        assert done.code == 0, done.err
        assert (address(cloud), checks(cloud)) == ("AWS_IAM", ["none"])
    else:
        assert done.code == 2
    assert cloud.deploy("two", "--auth", after).code == 0
    assert (address(cloud), checks(cloud)) == (
        ("NONE", ["api-key"]) if after == "api-key" else ("AWS_IAM", ["none"])
    )


def test_an_address_that_was_closed_for_nothing_opens_again(cloud: Any) -> None:
    cloud.deploy("one", "--auth", "api-key")
    place = {"LocationConstraint": "eu-central-1"}
    cloud.client("s3").create_bucket(Bucket="taken", CreateBucketConfiguration=place)
    seen, error = watched(cloud, wished("aws-iam", input_bucket="taken"), "two")
    assert "InputBucket" in str(error)
    assert ("AWS_IAM", ["api-key"]) in [state[1:3] for state in seen]
    assert (address(cloud), checks(cloud), cloud.alias()[0]) == ("NONE", ["api-key"], "1")


def test_an_address_opens_to_all_only_with_the_version_that_is_to_be_open(cloud: Any) -> None:
    cloud.deploy("one")
    seen, error = watched(cloud, wished("none"), "one", passed=False)
    assert error is not None
    assert {front for _, front, _, _ in seen} == {"AWS_IAM"}
    assert address(cloud) == "AWS_IAM"
    assert watched(cloud, wished("none"), "one")[1] is None
    assert (address(cloud), cloud.alias()[0]) == ("NONE", "3" if "3" in cloud.versions() else "2")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("aws-iam", "api-key"),
        ("aws-iam", "none"),
        ("api-key", "aws-iam"),
        ("none", "aws-iam"),
    ],
)
def test_rollback_to_a_version_for_other_callers_is_refused(cloud: Any, first: Auth, second: Auth) -> None:
    cloud.deploy("one", "--auth", first)
    cloud.deploy("two", "--auth", second)
    done = cloud.run(rollback, "flowers")
    assert done.code == 2
    assert f"version 1 of --auth {first}, now {second}" in done.err.splitlines()[-1]
    assert "Deploy its bundle again, with the --auth" in done.err.splitlines()[-1]
    assert cloud.alias() == ("2", {})
    # The cure does it.
    assert cloud.deploy("one", "--auth", first).code == 0
    assert address(cloud) == ("AWS_IAM" if first == "aws-iam" else "NONE")


@pytest.mark.parametrize("auth", ["aws-iam", "api-key", "none"])
def test_rollback_to_a_version_for_the_same_callers_goes(cloud: Any, auth: Auth) -> None:
    cloud.deploy("one", "--auth", auth)
    cloud.deploy("two", "--auth", auth)
    assert cloud.run(rollback, "flowers").code == 0
    assert cloud.alias() == ("1", {})
    outputs = cloud.client("cloudformation").describe_stacks(StackName="snapship-flowers")["Stacks"][0][
        "Outputs"
    ]
    assert {entry["OutputKey"]: entry["OutputValue"] for entry in outputs}["LiveVersion"] == "1"


def test_rollback_to_a_version_with_other_results_is_refused(cloud: Any) -> None:
    cloud.deploy("one", "--queue", "--results", "s3://acme-one/")
    cloud.deploy("two", "--queue", "--results", "s3://acme-two/")
    done = cloud.run(rollback, "flowers")
    assert done.code == 2
    assert "--results s3://acme-one/, now s3://acme-two/" in done.err


def test_a_canary_is_for_the_same_callers(cloud: Any) -> None:
    cloud.deploy("one", "--auth", "api-key")
    _, error = watched(cloud, wished("aws-iam"), "two", canary=0.1)
    assert "--auth of the live version" in str(error)
    assert cloud.alias() == ("1", {})
    assert address(cloud) == "NONE"


def test_events_and_address_stay_until_the_version_is_tried(cloud: Any) -> None:
    cloud.deploy("one", "--queue")
    queues = cloud.client("sqs").list_queues()["QueueUrls"]
    fails = wished("aws-iam", front="http-api", input_bucket="pets-in")
    _, error = watched(cloud, fails, "two", passed=False)
    assert error is not None
    assert cloud.client("sqs").list_queues()["QueueUrls"] == queues
    assert "sqs:ReceiveMessage" in allowed(cloud)
    assert address(cloud) == "AWS_IAM"
    assert "pets-in" not in [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    cloud.will_answer({"passed": True})
    run(DeployConfig(fails, package=cloud.zipped("two")), Connection(), lambda line: None)
    assert "pets-in" in [bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]]
    assert "sqs:ReceiveMessage" not in allowed(cloud)
    with pytest.raises(Exception, match="Function"):
        address(cloud)

"""Deploying: what goes live when, on a moto server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serverless.aws import Connection
from serverless.deploy.config.deployment_config import DeployConfig, Deployment
from serverless.deploy.config.errors import StoppedError
from serverless.deploy.deploy_cli import deploy
from serverless.deploy.deploying import deploy as run
from serverless.deploy.traffic import canary_stages

BUCKET = "snapship-code-123456789012-eu-central-1"


def test_first_deployment_is_an_endpoint(cloud: Any, function_url: str) -> None:
    done = cloud.deploy("one")
    assert done.code == 0, done.err
    assert done.json["status"] == "created"
    assert done.json["version"] == "1"
    assert done.json["url"] == function_url
    assert "--aws-sigv4 aws:amz:eu-central-1:lambda" in done.json["curl"]
    assert cloud.alias() == ("1", {})
    found = cloud.client("lambda").get_function(FunctionName="snapship-flowers", Qualifier="live")[
        "Configuration"
    ]
    assert (found["Handler"], found["Runtime"], found["MemorySize"]) == (
        "serverless.app.handler",
        "python3.12",
        1769,
    )


def test_nobody_can_call_a_version_before_its_selftest(cloud: Any) -> None:
    seen = []

    def say(line: str) -> None:
        if line.startswith("Testing"):
            aliases = cloud.client("lambda").list_aliases(FunctionName="snapship-flowers")["Aliases"]
            seen.append([entry["FunctionVersion"] for entry in aliases])

    for code in ("one", "two"):
        cloud.will_answer({"passed": True})
        run(DeployConfig(Deployment("flowers"), package=cloud.zipped(code)), Connection(), say)
    assert seen == [[], ["1"]]
    assert cloud.alias() == ("2", {})


def test_the_code_bucket_is_private_encrypted_and_versioned(cloud: Any) -> None:
    cloud.deploy("one")
    s3 = cloud.client("s3")
    block = s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"]
    assert all(block.values())
    assert len(block) == 4
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_repeated_deployment_changes_nothing(cloud: Any) -> None:
    cloud.deploy("one")
    before = cloud.client("cloudformation").describe_stack_events(StackName="snapship-flowers")["StackEvents"]
    done = cloud.deploy("one", passed=None)
    assert done.code == 0, done.err
    assert (done.json["status"], done.json["version"]) == ("unchanged", "1")
    assert "Already uploaded" in done.err
    after = cloud.client("cloudformation").describe_stack_events(StackName="snapship-flowers")["StackEvents"]
    assert len(after) == len(before)


def test_new_code_is_a_new_version_and_the_old_one_stays(cloud: Any) -> None:
    cloud.deploy("one")
    done = cloud.deploy("two")
    assert (done.json["status"], done.json["version"], done.json["previous"]) == ("updated", "2", "1")
    assert cloud.alias() == ("2", {})
    assert cloud.versions() == ["1", "2"]


def test_settings_around_a_version_need_no_new_one(cloud: Any) -> None:
    cloud.deploy("one")
    done = cloud.deploy("one", "--retention-days", "90", passed=None)
    assert (done.json["status"], done.json["version"]) == ("updated", "1")
    # moto leaves the log group as it was.
    body = cloud.client("cloudformation").get_template(StackName="snapship-flowers")["TemplateBody"]
    assert body["Resources"]["LogGroup"]["Properties"]["RetentionInDays"] == 90


def test_new_settings_of_the_function_are_a_new_version(cloud: Any) -> None:
    cloud.deploy("one")
    done = cloud.deploy("one", "--memory", "512")
    assert (done.json["version"], done.json["previous"]) == ("2", "1")


def test_failed_selftest_leaves_what_was_live(cloud: Any) -> None:
    cloud.deploy("one")
    done = cloud.deploy("two", passed=False)
    assert done.code == 1
    assert "self-test" in done.err
    assert "scores differ" in done.err
    assert "version 1" in done.err.splitlines()[-1]
    assert cloud.alias() == ("1", {})
    # The same again is tried again, and the next that passes tidies up.
    assert cloud.deploy("two", passed=False).code == 1
    assert cloud.alias() == ("1", {})
    done = cloud.deploy("three")
    assert (done.json["previous"], cloud.alias()[0]) == ("1", done.json["version"])
    assert cloud.versions() == ["1", done.json["version"]]


def test_a_role_that_is_not_known_everywhere_yet_is_given_time(
    cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(canary_stages, "RETRY_S", 0.0)
    cloud.will_answer({"passed": False, "detail": "AccessDenied: ssm:GetParameter"}, {"passed": True})
    said: list[str] = []
    run(DeployConfig(Deployment("flowers"), package=cloud.zipped("one")), Connection(), said.append)
    assert any("trying again" in line for line in said)
    assert cloud.alias() == ("1", {})


def test_failed_selftest_of_the_first_version_leaves_nothing(cloud: Any) -> None:
    done = cloud.deploy("one", passed=False)
    assert done.code == 1
    assert cloud.stacks() == []
    assert cloud.client("lambda").list_functions()["Functions"] == []
    assert cloud.deploy("one").json["status"] == "created"


def test_a_function_that_gives_no_selftest_does_not_pass(cloud: Any) -> None:
    cloud.deploy("one")
    # moto answers with the request itself.
    done = cloud.deploy("two", passed=None)
    assert done.code == 1
    assert "not the answer of a self-test" in done.err
    assert cloud.alias() == ("1", {})


def test_canary_gets_a_share_and_then_all(cloud: Any) -> None:
    cloud.deploy("one")
    seen = []

    def say(line: str) -> None:
        if line.startswith("Watching"):
            seen.append(cloud.alias())

    cloud.will_answer({"passed": True})
    config = DeployConfig(Deployment("flowers"), package=cloud.zipped("two"), canary=0.1, canary_minutes=0)
    run(config, Connection(), say)
    assert seen == [("1", {"2": 0.1})]
    assert cloud.alias() == ("2", {})


def test_an_alarm_during_the_canary_rolls_back(cloud: Any) -> None:
    cloud.deploy("one")

    def say(line: str) -> None:
        if line.startswith("Watching"):
            cloud.client("cloudwatch").set_alarm_state(
                AlarmName=cloud.alarm("ErrorAlarm"), StateValue="ALARM", StateReason="3 calls failed"
            )

    cloud.will_answer({"passed": True})
    config = DeployConfig(Deployment("flowers"), package=cloud.zipped("two"), canary=0.1, canary_minutes=0.1)
    with pytest.raises(Exception, match="3 calls failed") as caught:
        run(config, Connection(), say)
    assert getattr(caught.value, "exit_code", None) == 1
    assert cloud.alias() == ("1", {})
    # An alarm that rings already says nothing of a new version.
    done = cloud.deploy("three", "--canary", "10%")
    assert done.code == 1
    assert "before a canary" in done.err
    assert cloud.alias() == ("1", {})


def test_ctrl_c_says_how_to_go_on_and_the_next_start_does(cloud: Any) -> None:
    cloud.deploy("one")

    def say(line: str) -> None:
        if line.startswith("Watching"):
            raise KeyboardInterrupt

    cloud.will_answer({"passed": True})
    config = DeployConfig(Deployment("flowers"), package=cloud.zipped("two"), canary=0.25, canary_minutes=5)
    with pytest.raises(StoppedError, match=r"watching 2 alarms.*run the same command again") as caught:
        run(config, Connection(), say)
    assert caught.value.exit_code == 130
    assert cloud.alias() == ("1", {"2": 0.25})
    done = cloud.deploy("two")
    assert done.code == 0, done.err
    assert "interrupted" in done.err
    assert cloud.alias() == ("2", {})


def test_ctrl_c_while_packaging_changed_nothing(cloud: Any) -> None:
    def say(line: str) -> None:
        if line.startswith("Packaging"):
            raise KeyboardInterrupt

    with pytest.raises(StoppedError, match="Nothing was changed on AWS"):
        run(DeployConfig(Deployment("flowers"), package=cloud.zipped("one")), Connection(), say)
    assert cloud.client("s3").list_buckets()["Buckets"] == []


def test_api_keys_are_made_once_and_kept_as_hashes(cloud: Any) -> None:
    from serverless.app.core.keys import parse

    done = cloud.deploy("one", "--auth", "api-key")
    assert done.code == 0, done.err
    secret = done.json["api_key"]
    assert f"API key, shown only once: {secret}" in done.err
    found = cloud.client("ssm").get_parameter(Name="/snapship/flowers/keys", WithDecryption=True)["Parameter"]
    assert found["Type"] == "SecureString"
    assert secret not in found["Value"]
    assert parse(found["Value"]).check(secret) == "first"
    assert "x-api-key" in done.json["curl"]
    again = cloud.deploy("two", "--auth", "api-key")
    assert again.json["api_key"] is None
    assert cloud.client("ssm").get_parameter(Name="/snapship/flowers/keys")["Parameter"]["Version"] == 1


def test_a_parameter_of_the_users_own_is_used_and_kept(cloud: Any) -> None:
    from serverless.deploy.manage.cli import destroy

    words = ("--auth", "api-key", "--keys-parameter", "/team/keys")
    done = cloud.deploy("one", *words, passed=None)
    assert done.code == 2
    assert "/team/keys, which does not exist" in done.err
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/team/keys", Value="x", Type="SecureString")
    done = cloud.deploy("one", *words)
    assert done.code == 0, done.err
    assert done.json["api_key"] is None
    assert cloud.run(destroy, "flowers", "--yes").code == 0
    assert [entry["Name"] for entry in ssm.describe_parameters()["Parameters"]] == ["/team/keys"]


def test_no_access_control_is_said_out_loud(cloud: Any) -> None:
    done = cloud.deploy("one", "--auth", "none")
    assert done.code == 0, done.err
    assert done.err.startswith("WARNING: --auth none: anyone")
    assert "WARNING" not in cloud.deploy("one", "--memory", "512").err


def test_triggers_and_front_are_made(cloud: Any) -> None:
    done = cloud.deploy("one", "--queue", "--input-bucket", "pets-in", "--front", "http-api")
    assert done.code == 0, done.err
    assert cloud.client("sqs").list_queues()["QueueUrls"]
    names = {bucket["Name"] for bucket in cloud.client("s3").list_buckets()["Buckets"]}
    assert names == {"pets-in", BUCKET}
    assert "execute-api" in done.json["curl"]


def test_plan_changes_nothing(cloud: Any) -> None:
    words = ("--package", cloud.zipped("one"), "--name", "flowers", "--plan")
    done = cloud.run(deploy, *words, "--json", "--auth", "api-key")
    assert done.code == 0, done.err
    steps = {(step["action"], step["type"]) for step in done.json["steps"]}
    assert {("Add", "AWS::Lambda::Function"), ("Add", "S3 bucket"), ("Add", "SSM parameter")} <= steps
    assert done.json["template"]["Resources"]
    [bucket] = [step for step in done.json["steps"] if step["type"] == "S3 bucket"]
    assert bucket["purpose"].startswith("holds the packages and the lock;")
    mine = cloud.run(deploy, *words, "--json", "--bucket", "mine").json["steps"]
    assert [step["purpose"][:15] for step in mine if step["resource"] == BUCKET] == ["holds the lock;"]
    assert cloud.stacks() == []
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    assert cloud.client("ssm").describe_parameters()["Parameters"] == []
    cloud.deploy("one")
    done = cloud.run(deploy, *words)
    assert "No changes" in done.out
    done = cloud.run(deploy, *words, "--retention-days", "90")
    shown, _, table = done.out.rpartition("\n}\n")
    assert json.loads(shown + "\n}")["Resources"]["LatencyAlarm"]
    assert "LogGroup" in table
    assert "LatencyAlarm" not in table
    assert cloud.deploy("one", passed=None).json["status"] == "unchanged"


def test_a_plan_beside_a_first_deployment_takes_nothing_away(cloud: Any) -> None:
    from serverless.deploy.stack import changes
    from serverless.deploy.template import Code, template
    from serverless.deploy.template.building import tags

    aws, deployment = Connection(), Deployment("flowers")
    final = template(deployment, Code("code", "code/flowers/x.zip", "0" * 64))
    mine = changes.propose(aws, deployment.stack, final, tags(deployment), create=True)
    assert cloud.deploy("one").code == 0
    changes.discard(aws, mine)
    assert cloud.alias() == ("1", {})
    assert cloud.stacks() == ["snapship-flowers"]


def test_a_stack_with_a_change_of_somebody_else_is_not_taken_away(cloud: Any) -> None:
    from serverless.deploy.stack import changes
    from serverless.deploy.template import Code, template
    from serverless.deploy.template.building import tags

    aws, deployment = Connection(), Deployment("flowers")
    final = template(deployment, Code("code", "code/flowers/x.zip", "0" * 64))
    mine = changes.propose(aws, deployment.stack, final, tags(deployment), create=True)
    other = changes.propose(aws, deployment.stack, final, tags(deployment), create=True)
    changes.discard(aws, mine)
    assert cloud.stacks() == ["snapship-flowers"]
    changes.discard(aws, other)
    assert cloud.stacks() == []


def test_storage_is_that_of_the_function(cloud: Any) -> None:
    assert cloud.deploy("one", "--storage", "1024").code == 0
    body = cloud.client("cloudformation").get_template(StackName="snapship-flowers")["TemplateBody"]
    assert body["Resources"]["Function"]["Properties"]["EphemeralStorage"] == {"Size": 1024}


def test_a_resource_that_cannot_be_made_is_named(cloud: Any) -> None:
    cloud.deploy("one")
    cloud.client("s3").create_bucket(
        Bucket="taken", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
    )
    done = cloud.deploy("two", "--input-bucket", "taken")
    assert done.code == 2
    assert "InputBucket" in done.err.splitlines()[-1]
    assert "Traceback" not in done.err


def test_a_stack_of_somebody_else_is_refused(cloud: Any) -> None:
    body = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})
    cloud.client("cloudformation").create_stack(StackName="snapship-flowers", TemplateBody=body)
    done = cloud.deploy("one", passed=None)
    assert done.code == 2
    assert "snapship:name=flowers" in done.err

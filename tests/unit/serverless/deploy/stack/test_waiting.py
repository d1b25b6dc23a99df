"""Waiting for AWS, which takes its time: moto is done at once, so a scripted CloudFormation stands in here."""

from __future__ import annotations

from typing import Any

import pytest

from serverless.deploy.config.errors import DeployError
from serverless.deploy.stack import waiting

STACK = "AWS::CloudFormation::Stack"


class RefusedError(Exception):
    """As boto3's ClientError."""


class Scripted:
    """Answers with one status after the other; the last stays. Events appear with their status."""

    class exceptions:  # noqa: N801
        ClientError = RefusedError

    def __init__(self, *script: tuple[str, list[tuple[str, str, str]]]) -> None:
        self.script = list(script)
        self.events: list[dict[str, Any]] = []
        self.asked = 0

    def client(self, service: str) -> Scripted:
        assert service == "cloudformation"
        return self

    def describe_stacks(self, StackName: str) -> Any:  # noqa: N803
        self.asked += 1
        status, events = self.script.pop(0)
        if not self.script:
            self.script = [(status, [])]
        if status == "GONE":
            raise RefusedError("Stack with id x does not exist")
        for resource, state, reason in events:
            entry = {"EventId": str(len(self.events)), "ResourceStatus": state, "LogicalResourceId": resource}
            self.events.append({**entry, "ResourceType": STACK, "ResourceStatusReason": reason})
        assert self.asked < 50, "it does not end"
        return {"Stacks": [{"StackName": "s", "StackId": "arn:s", "StackStatus": status}]}

    def describe_stack_events(self, StackName: str) -> Any:  # noqa: N803
        return {"StackEvents": self.events[::-1]}

    def delete_stack(self, StackName: str) -> None:  # noqa: N803
        pass


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "FIRST_POLL_SECONDS", 0.0)
    monkeypatch.setattr(waiting, "POLL_SECONDS", 0.0)


def settled(cloud: Scripted) -> tuple[str, list[str]]:
    said: list[str] = []
    return waiting.settle(cloud, "s", said.append, set(), started=True).status, said  # type: ignore[arg-type]


def test_the_old_status_is_not_taken_for_the_new_one() -> None:
    cloud = Scripted(
        ("UPDATE_COMPLETE", []),
        ("UPDATE_COMPLETE", []),
        ("UPDATE_IN_PROGRESS", [("s", "UPDATE_IN_PROGRESS", "")]),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", [("Function", "UPDATE_COMPLETE", "")]),
        ("UPDATE_COMPLETE", [("s", "UPDATE_COMPLETE", "")]),
    )
    status, said = settled(cloud)
    assert status == "UPDATE_COMPLETE"
    # Once more after the last news: the status is older than the events.
    assert cloud.asked == 6
    assert [line.split()[0] for line in said] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE", "UPDATE_COMPLETE"]


def test_news_beside_an_old_status_is_not_the_end() -> None:
    cloud = Scripted(
        ("UPDATE_COMPLETE", [("s", "UPDATE_IN_PROGRESS", "")]),
        ("UPDATE_IN_PROGRESS", []),
        ("UPDATE_COMPLETE", [("s", "UPDATE_COMPLETE", "")]),
    )
    assert settled(cloud)[0] == "UPDATE_COMPLETE"
    assert not any(status == "UPDATE_IN_PROGRESS" for status, _ in cloud.script)
    assert cloud.asked == 4


def test_a_change_that_aws_took_back_names_the_first_reason() -> None:
    cloud = Scripted(
        (
            "UPDATE_IN_PROGRESS",
            [
                ("Role", "UPDATE_FAILED", "Resource update cancelled"),
                ("Queue", "UPDATE_FAILED", "You may not\nmake it."),
                ("Url", "UPDATE_FAILED", "later"),
            ],
        ),
        ("UPDATE_ROLLBACK_IN_PROGRESS", []),
        ("UPDATE_ROLLBACK_COMPLETE", []),
    )
    with pytest.raises(
        DeployError, match=r"UPDATE_ROLLBACK_COMPLETE: Queue: You may not make it\. "
    ) as caught:
        settled(cloud)
    assert caught.value.exit_code == 2


def test_what_could_not_be_tidied_up_is_no_failure() -> None:
    cloud = Scripted(("UPDATE_COMPLETE", [("Old", "DELETE_FAILED", "in use"), ("s", "UPDATE_COMPLETE", "")]))
    assert settled(cloud)[0] == "UPDATE_COMPLETE"


def test_an_update_after_one_that_was_taken_back_is_judged_by_its_own_end() -> None:
    cloud = Scripted(
        ("UPDATE_ROLLBACK_COMPLETE", []),
        ("UPDATE_COMPLETE", [("s", "UPDATE_COMPLETE", "")]),
    )
    assert settled(cloud)[0] == "UPDATE_COMPLETE"


@pytest.mark.parametrize(
    ("status", "cure"),
    [
        ("UPDATE_ROLLBACK_FAILED", "Continue update rollback"),
        ("ROLLBACK_COMPLETE", "repeat"),
        ("ROLLBACK_FAILED", "snapship destroy"),
    ],
)
def test_a_stack_that_is_stuck_says_the_cure(status: str, cure: str) -> None:
    with pytest.raises(DeployError, match=cure):
        settled(Scripted((status, [("s", status, "")])))


def test_a_stack_that_vanished() -> None:
    with pytest.raises(DeployError, match="is gone"):
        settled(Scripted(("GONE", [])))


def test_deleting_waits_and_tells_what_could_not_be_deleted() -> None:
    from serverless.deploy.stack.stack import Stack

    stack = Stack("s", "arn:s", "UPDATE_COMPLETE")
    done = Scripted(("DELETE_IN_PROGRESS", []), ("DELETE_IN_PROGRESS", []), ("DELETE_COMPLETE", []))
    waiting.remove(done, stack, lambda line: None)  # type: ignore[arg-type]
    assert done.asked == 3
    stuck = Scripted(
        ("DELETE_IN_PROGRESS", []), ("DELETE_FAILED", [("Bucket", "DELETE_FAILED", "not empty")])
    )
    with pytest.raises(DeployError, match="Bucket: not empty"):
        waiting.remove(stuck, stack, lambda line: None)  # type: ignore[arg-type]

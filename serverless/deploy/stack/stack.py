"""Reads CloudFormation stacks; changes.py changes them, waiting.py waits for AWS."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from serverless.aws import Connection, answered

Progress = Callable[[str], None]
"""Called with one line per step."""

Template = dict[str, Any]


@dataclass(frozen=True)
class Stack:
    """The state of a stack.

    Attributes:
        name: Its name.
        id: Its ARN.
        status: AWS's status, e.g. ``UPDATE_COMPLETE``.
        reason: The reason for the status, if AWS gives one.
        outputs: Its outputs, by name.
        tags: Its tags, by key.
        updated: When it was created or last updated, in ISO 8601.
    """

    name: str
    id: str
    status: str
    reason: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    updated: str = ""

    @property
    def busy(self) -> bool:
        """Whether AWS is working on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def empty(self) -> bool:
        """Whether it was never created, only prepared by a change set that was not executed."""
        return self.status == "REVIEW_IN_PROGRESS"

    @property
    def usable(self) -> bool:
        """Whether it can be updated."""
        return self.status in _USABLE


_USABLE = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
}


@dataclass(frozen=True)
class Resource:
    """A resource of a stack.

    Attributes:
        logical_id: Its name in the template.
        type: E.g. ``AWS::Lambda::Function``.
        physical_id: Its name or ARN.
    """

    logical_id: str
    type: str
    physical_id: str


def describe(aws: Connection, name: str) -> Stack | None:
    """Looks up a stack.

    Args:
        aws: The account and region.
        name: Its name or ARN.

    Returns:
        The stack; None if there is none.
    """
    cloudformation = aws.client("cloudformation")
    with answered(f"Looking up the stack {name}"):
        try:
            return _stack(cloudformation.describe_stacks(StackName=name)["Stacks"][0])
        except cloudformation.exceptions.ClientError as error:
            if "does not exist" in str(error):
                return None
            raise


def stacks(aws: Connection) -> Iterator[Stack]:
    """Every stack of the account and region, whoever made it."""
    with answered("Listing the stacks"):
        for page in aws.client("cloudformation").get_paginator("describe_stacks").paginate():
            yield from map(_stack, page["Stacks"])


def _stack(found: Mapping[str, Any]) -> Stack:
    updated = found.get("LastUpdatedTime") or found.get("CreationTime")
    return Stack(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        outputs={entry["OutputKey"]: entry["OutputValue"] for entry in found.get("Outputs") or []},
        tags={entry["Key"]: entry["Value"] for entry in found.get("Tags") or []},
        updated=updated.isoformat(timespec="seconds") if updated else "",
    )


def template_of(aws: Connection, name: str) -> Template:
    """The template of a stack, as it was sent."""
    with answered(f"Reading the template of {name}"):
        body = aws.client("cloudformation").get_template(StackName=name, TemplateStage="Original")[
            "TemplateBody"
        ]
    found: Template = json.loads(body) if isinstance(body, str) else json.loads(json.dumps(body))
    return found


def resources(aws: Connection, name: str) -> dict[str, Resource]:
    """The resources of a stack, by logical id."""
    found: dict[str, Resource] = {}
    with answered(f"Listing the resources of {name}"):
        pages = aws.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=name)
        for page in pages:
            for entry in page["StackResourceSummaries"]:
                if entry["ResourceStatus"] != "DELETE_COMPLETE" and entry.get("PhysicalResourceId"):
                    logical = entry["LogicalResourceId"]
                    found[logical] = Resource(logical, entry["ResourceType"], entry["PhysicalResourceId"])
    return found

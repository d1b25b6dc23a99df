"""Finds what a name stands for in an account and region."""

from __future__ import annotations

from dataclasses import dataclass

from serverless.aws import Connection, MissingResourceError
from serverless.deploy import rollout, stack
from serverless.deploy.bucket import CodeBucket, code_bucket
from serverless.deploy.config import NAME_TAG, Deployment
from serverless.deploy.errors import DeployError
from serverless.deploy.stack import Stack, Template


@dataclass(frozen=True)
class Located:
    """A deployment that is there.

    Attributes:
        name: Its name.
        stack: Its stack.
        template: The stack's template.
        bucket: Where its code is.
    """

    name: str
    stack: Stack
    template: Template
    bucket: CodeBucket

    @property
    def function(self) -> str:
        """The function's name."""
        return self.stack.name

    @property
    def url(self) -> str:
        """The endpoint's address with a slash at its end; empty before it has one."""
        return self.stack.outputs.get("Url", "")


def locate(aws: Connection, name: str) -> Located:
    """Finds a deployment.

    Args:
        aws: Where.
        name: Its name.

    Raises:
        UsageError: No deployment can have such a name.
        MissingResourceError: There is none.
        DeployError: The stack of that name is not snapship's.
    """
    stack_name = Deployment(name).stack
    found = stack.describe(aws, stack_name)
    if found is None or found.empty:
        raise MissingResourceError(
            f"A deployment must be there. Received: {name}, which is not in {aws.region} of account {aws.account}. "
            "Pass --region, look at all with: snapship status, or make it: snapship deploy."
        )
    owned(found, name)
    template = stack.template_of(aws, stack_name)
    return Located(name, found, template, bucket_of(aws, template))


def bucket_of(aws: Connection, template: Template) -> CodeBucket:
    """Where a template's code is, snapship's own bucket or the user's.

    Args:
        aws: Where.
        template: Of a stack.
    """
    own, (named, _) = code_bucket(aws), rollout.code_place(template)
    return own if named in ("", own.name) else code_bucket(aws, named)


def owned(found: Stack, name: str) -> None:
    """Refuses a stack that snapship did not make.

    Args:
        found: The stack.
        name: The deployment's name.

    Raises:
        DeployError: It does not carry the tag.
    """
    if found.tags.get(NAME_TAG) != name and not found.empty:
        raise DeployError(
            f"The stack {found.name} must be one that snapship made. Received: one without the tag {NAME_TAG}={name}. "
            "Choose another name."
        )

"""Templates between what is live and what shall be. Pure data, no AWS.

==================  ====================================================================
:func:`held_back`   the new version beside what is live: callers, events and the old
                    version meet what they met before
:func:`shared`      the same with a share of the calls for the new version
:func:`fronted`     the same behind the new address, where that lets in fewer
:func:`shifted`     the alias at the new version, before the address lets in more
==================  ====================================================================

A version is published with the environment of its day for ever; who comes to it is decided
by what stands around it. The function behind an address that AWS guards checks nobody itself:
behind an open address it would serve everyone. So an address is closed before the alias goes
to a version that counts on that, and opened after it has left one. The role of both versions
may do what either needs until the old one is left.
"""

from __future__ import annotations

import copy
from typing import Any

from serverless.deploy import rollout
from serverless.deploy.stack import Template
from serverless.deploy.template import events, front, function

_ALARM = "AWS::CloudWatch::Alarm"
_VERSION = "AWS::Lambda::Version"
_RESERVED = "ReservedConcurrentExecutions"


def held_back(current: Template, final: Template, old: str) -> Template:
    """Adds the new version to what is live.

    Args:
        current: The stack's template.
        final: The template of the end.
        old: Number of the version that is live.
    """
    made, whole = rollout.pointed(current, old), copy.deepcopy(final)
    resources, new = made["Resources"], whole["Resources"]
    version = rollout.version_id(final)
    for name in [name for name, entry in resources.items() if entry["Type"] == _VERSION]:
        del resources[name]
    runs = new[function.FUNCTION]["Properties"]
    runs.pop(_RESERVED, None)
    reserved = resources[function.FUNCTION]["Properties"].get(_RESERVED)
    if reserved is not None:
        # Of the function as a whole, so of the version that is live.
        runs[_RESERVED] = reserved
    for name in (function.LOG_GROUP, function.FUNCTION, version):
        resources[name] = new[name]
    for name, entry in new.items():
        if entry["Type"] == _ALARM and not _lacks(entry, resources, new):
            resources[name] = entry
    resources[function.ROLE] = _role_of_both(made, whole, resources)
    if events.QUEUE in resources and events.QUEUE in new:
        # Lambda refuses a function that may take longer than its queue hides a message.
        hidden = [entry[events.QUEUE]["Properties"]["VisibilityTimeout"] for entry in (resources, new)]
        resources[events.QUEUE]["Properties"]["VisibilityTimeout"] = max(hidden)
    made["Parameters"] = whole["Parameters"]
    made["Outputs"]["NewVersion"] = whole["Outputs"]["NewVersion"]
    return made


def shared(held: Template, share: float) -> Template:
    """Gives the new version some of the calls.

    Args:
        held: Of :func:`held_back`.
        share: Of the calls, 0 to 1.
    """
    made = copy.deepcopy(held)
    new = {"Fn::GetAtt": [rollout.version_id(made), "Version"]}
    weights = [{"FunctionVersion": new, "FunctionWeight": share}]
    properties = made["Resources"][rollout.alias_id(made)]["Properties"]
    # AWS refuses weights beside provisioned instances, which the version that is live may have.
    properties.pop("ProvisionedConcurrencyConfig", None)
    properties["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    return made


def signed(template: Template) -> bool:
    """Whether AWS lets only signed requests through its address.

    Args:
        template: Of a stack.
    """
    kinds = ("AuthType", "AuthorizationType")
    found = (entry.get("Properties", {}) for entry in template.get("Resources", {}).values())
    return any(properties.get(kind) == "AWS_IAM" for properties in found for kind in kinds)


def closes(held: Template, final: Template) -> bool:
    """Whether the end lets in fewer: only whose requests are signed.

    Args:
        held: Of :func:`held_back`.
        final: The template of the end.
    """
    return signed(final) and not signed(held)


def fronted(held: Template, final: Template) -> Template:
    """What is held back, behind the address of another template.

    Args:
        held: Any with an alias.
        final: Whose address.
    """
    made, other = copy.deepcopy(held), copy.deepcopy(final)
    kept = {name: entry for name, entry in made["Resources"].items() if name not in front.IDS}
    new = {name: entry for name, entry in other["Resources"].items() if name in front.IDS}
    made["Resources"] = {**kept, **new}
    made["Outputs"]["Url"] = other["Outputs"]["Url"]
    return made


def shifted(held: Template, final: Template) -> Template:
    """The end, but for what must not come before the alias is there.

    Args:
        held: What the stack is now, of :func:`held_back` or :func:`fronted`.
        final: The template of the end.

    Returns:
        ``final`` with the role of both versions, and with the address of ``held`` if that lets
        in fewer.
    """
    opens = signed(held) and not signed(final)
    made = fronted(final, held) if opens else copy.deepcopy(final)
    made["Resources"][function.ROLE] = _role_of_both(held, final, made["Resources"])
    return made


def _role_of_both(before: Template, after: Template, there: dict[str, Any]) -> dict[str, Any]:
    """The role of one template with the statements of two, as far as they are of what is there."""
    known = {**before["Resources"], **after["Resources"]}
    wanted = [entry for entry in _statements(after) if not _lacks(entry, there, known)]
    same = [_unnamed(entry) for entry in wanted]
    # Without their names, as one name may not stand for two statements.
    more = [_unnamed(entry) for entry in _statements(before)]
    more = [entry for entry in more if entry not in same and not _lacks(entry, there, known)]
    role = copy.deepcopy(before["Resources"][function.ROLE])
    role["Properties"]["Policies"] = copy.deepcopy(
        after["Resources"][function.ROLE]["Properties"]["Policies"]
    )
    role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"] = [*wanted, *more]
    return dict(role)


def _statements(template: Template) -> list[dict[str, Any]]:
    policies = template["Resources"][function.ROLE]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def _unnamed(statement: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in statement.items() if key != "Sid"}


def _lacks(node: Any, there: dict[str, Any], known: dict[str, Any]) -> bool:
    """Whether a part of a template refers to a resource that is not there."""
    return bool(rollout.references(node) & known.keys() - there.keys())

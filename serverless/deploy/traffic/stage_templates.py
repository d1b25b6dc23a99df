"""Templates between the live state and the final one, and what can be read from a template.

Pure data, no AWS.

=========================  ==================================================================
:func:`without_alias`      everything but the alias and what depends on it: a first version
                           that can only be called by its number
:func:`with_alias_at`      the alias at a version number, which gets all traffic
:func:`with_history`       with the numbers of the versions that were live, for rollback
:func:`with_new_version`   the new version added to what is live; nothing changes for callers,
                           events and the old version
:func:`with_canary`        the same, with a share of the calls for the new version
:func:`with_front_of`      the same behind the new URL, if that admits fewer callers
:func:`with_alias_moved`   the alias at the new version, before the URL admits more callers
=========================  ==================================================================

A version keeps the environment it was published with for ever; who reaches it is decided by the
resources around it. A function behind a URL that AWS guards checks nobody itself: behind an open
URL it would serve everyone. So the URL is closed before the alias moves to a version that relies
on the guard, and opened only after the alias has left such a version. Until the alias has left the
old version, the role may do what either version needs.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from serverless.deploy.config.errors import DeployError
from serverless.deploy.stack.stack import Template
from serverless.deploy.template import events, front, function

RECORD = "Snapship"
"""Key in a template's ``Metadata`` for the versions that were live, oldest first."""

KEPT_VERSIONS = 5
"""Number of versions kept for rollback; older ones are deleted, since all count against a quota."""

_ALIAS = "AWS::Lambda::Alias"
_VERSION = "AWS::Lambda::Version"
_ALARM = "AWS::CloudWatch::Alarm"
_RESERVED = "ReservedConcurrentExecutions"


def version_id(template: Template) -> str:
    """Logical id of the template's version, which carries a hash of code and configuration.

    Raises:
        DeployError: There is not exactly one.
    """
    return _only(template, _VERSION)


def alias_id(template: Template) -> str:
    """Logical id of the template's alias.

    Raises:
        DeployError: There is not exactly one.
    """
    return _only(template, _ALIAS)


def without_alias(template: Template) -> Template:
    """Removes the alias, and every resource and output that refers to it.

    Args:
        template: A full template.
    """
    gone = {alias_id(template)}
    entries = template["Resources"]
    while True:
        more = {
            name
            for name, entry in entries.items()
            if name not in gone and not gone.isdisjoint(references(entry))
        }
        if not more:
            break
        gone |= more
    kept = copy.deepcopy(template)
    for name in gone:
        del kept["Resources"][name]
    kept["Outputs"] = {
        name: output
        for name, output in kept.get("Outputs", {}).items()
        if gone.isdisjoint(references(output))
    }
    # CloudFormation refuses an empty section.
    if not kept["Outputs"]:
        del kept["Outputs"]
    return kept


def with_alias_at(template: Template, version: str) -> Template:
    """Points the alias at a published version, without a share for another one.

    Args:
        template: A template with an alias.
        version: A version number.
    """
    changed = copy.deepcopy(template)
    properties = changed["Resources"][alias_id(changed)]["Properties"]
    properties["FunctionVersion"] = version
    properties.pop("RoutingConfig", None)
    if "LiveVersion" in changed.get("Outputs", {}):
        changed["Outputs"]["LiveVersion"]["Value"] = version
    return changed


def with_history(template: Template, live: Sequence[str]) -> Template:
    """Records which versions were live before.

    Args:
        template: Any template.
        live: Version numbers, oldest first; only the last :data:`KEPT_VERSIONS` are kept.
    """
    changed = copy.deepcopy(template)
    changed["Metadata"] = {**changed.get("Metadata", {}), RECORD: {"LiveBefore": list(live)[-KEPT_VERSIONS:]}}
    return changed


def history_of(template: Template) -> tuple[str, ...]:
    """The versions that :func:`with_history` recorded, oldest first."""
    record = template.get("Metadata", {}).get(RECORD, {})
    return tuple(str(version) for version in record.get("LiveBefore", ()))


def same(one: Template, other: Template) -> bool:
    """Whether two templates are equal, apart from their history."""
    return with_history(one, ()) == with_history(other, ())


def code_bucket_name(template: Template) -> str:
    """Name of the bucket with the template's code; empty if it has none in S3."""
    for entry in template.get("Resources", {}).values():
        code = entry.get("Properties", {}).get("Code") if entry["Type"] == "AWS::Lambda::Function" else None
        if isinstance(code, dict) and "S3Bucket" in code:
            name = code["S3Bucket"]
            if isinstance(name, dict):
                name = template.get("Parameters", {}).get(name.get("Ref"), {}).get("Default", "")
            return str(name)
    return ""


def _only(template: Template, type: str) -> str:
    found = [name for name, entry in template.get("Resources", {}).items() if entry.get("Type") == type]
    if len(found) != 1:
        raise DeployError(
            f"A template of snapship must contain one {type}. Received: {len(found)}. "
            "Deploy again, or destroy a stack that was changed by other means."
        )
    return str(found[0])


def references(node: Any) -> set[str]:
    """Logical ids that a part of a template refers to, including parameters.

    Args:
        node: Any part of a template.
    """
    return set(_walk(node))


def _walk(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for entry in node:
            yield from _walk(entry)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield value.partition(".")[0] if isinstance(value, str) else value[0]
        elif key == "Fn::Sub":
            text = value if isinstance(value, str) else value[0]
            yield from re.findall(r"\$\{([A-Za-z0-9]+)", text)
            yield from _walk(value)
        elif key == "DependsOn":
            yield from [value] if isinstance(value, str) else value
        else:
            yield from _walk(value)


def with_new_version(current: Template, final: Template, old: str) -> Template:
    """Adds the new version to what is live.

    Args:
        current: The stack's template.
        final: The final template.
        old: Number of the live version.
    """
    made, whole = with_alias_at(current, old), copy.deepcopy(final)
    resources, new = made["Resources"], whole["Resources"]
    version = version_id(final)
    for name in [name for name, entry in resources.items() if entry["Type"] == _VERSION]:
        del resources[name]
    runs = new[function.FUNCTION]["Properties"]
    runs.pop(_RESERVED, None)
    reserved = resources[function.FUNCTION]["Properties"].get(_RESERVED)
    if reserved is not None:
        # It belongs to the function as a whole, and so to the live version.
        runs[_RESERVED] = reserved
    for name in (function.LOG_GROUP, function.FUNCTION, version):
        resources[name] = new[name]
    for name, entry in new.items():
        if entry["Type"] == _ALARM and not _lacks(entry, resources, new):
            resources[name] = entry
    resources[function.ROLE] = _role_of_both(made, whole, resources)
    if events.QUEUE in resources and events.QUEUE in new:
        # Lambda refuses a function whose timeout exceeds the queue's visibility timeout.
        hidden = [entry[events.QUEUE]["Properties"]["VisibilityTimeout"] for entry in (resources, new)]
        resources[events.QUEUE]["Properties"]["VisibilityTimeout"] = max(hidden)
    made["Parameters"] = whole["Parameters"]
    made["Outputs"]["NewVersion"] = whole["Outputs"]["NewVersion"]
    return made


def with_canary(held: Template, share: float) -> Template:
    """Sends the new version a share of the calls.

    Args:
        held: A template from :func:`with_new_version`.
        share: Share of the calls, 0 to 1.
    """
    made = copy.deepcopy(held)
    new = {"Fn::GetAtt": [version_id(made), "Version"]}
    weights = [{"FunctionVersion": new, "FunctionWeight": share}]
    properties = made["Resources"][alias_id(made)]["Properties"]
    # AWS refuses weights together with provisioned instances, which the live version may have.
    properties.pop("ProvisionedConcurrencyConfig", None)
    properties["RoutingConfig"] = {"AdditionalVersionWeights": weights}
    return made


def requires_signature(template: Template) -> bool:
    """Whether AWS lets only signed requests through the URL.

    Args:
        template: The template of a stack.
    """
    kinds = ("AuthType", "AuthorizationType")
    found = (entry.get("Properties", {}) for entry in template.get("Resources", {}).values())
    return any(properties.get(kind) == "AWS_IAM" for properties in found for kind in kinds)


def closes_endpoint(held: Template, final: Template) -> bool:
    """Whether the final template admits fewer callers: from now on only those who sign.

    Args:
        held: A template from :func:`with_new_version`.
        final: The final template.
    """
    return requires_signature(final) and not requires_signature(held)


def with_front_of(held: Template, final: Template) -> Template:
    """A template behind the URL of another one.

    Args:
        held: A template with an alias.
        final: The template whose URL to use.
    """
    made, other = copy.deepcopy(held), copy.deepcopy(final)
    kept = {name: entry for name, entry in made["Resources"].items() if name not in front.IDS}
    new = {name: entry for name, entry in other["Resources"].items() if name in front.IDS}
    made["Resources"] = {**kept, **new}
    made["Outputs"]["Url"] = other["Outputs"]["Url"]
    return made


def with_alias_moved(held: Template, final: Template) -> Template:
    """The final template, except for what must wait until the alias has moved.

    Args:
        held: The stack's template, from :func:`with_new_version` or :func:`with_front_of`.
        final: The final template.

    Returns:
        ``final`` with the role of both versions, and with the URL of ``held`` if that admits
        fewer callers.
    """
    opens = requires_signature(held) and not requires_signature(final)
    made = with_front_of(final, held) if opens else copy.deepcopy(final)
    made["Resources"][function.ROLE] = _role_of_both(held, final, made["Resources"])
    return made


def _role_of_both(before: Template, after: Template, there: dict[str, Any]) -> dict[str, Any]:
    """The role of one template with the statements of both that refer to existing resources only."""
    known = {**before["Resources"], **after["Resources"]}
    wanted = [entry for entry in _statements(after) if not _lacks(entry, there, known)]
    same = [_unnamed(entry) for entry in wanted]
    # Without their Sids, which must be unique.
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
    """Whether a part of a template refers to a resource that does not exist."""
    return bool(references(node) & known.keys() - there.keys())

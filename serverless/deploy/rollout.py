"""Edits of a deployment's template, and what can be read from it. Pure data, no AWS.

======================  ==================================================================
:func:`without_alias`   everything but the alias and what depends on it: a first version
                        that can only be called by its number
:func:`with_alias_at`   the alias at a version number, which gets all traffic
:func:`with_history`    with the numbers of the versions that were live, for rollback
======================  ==================================================================
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from serverless.deploy.errors import DeployError
from serverless.deploy.stack import Template

RECORD = "Snapship"
"""Key in a template's ``Metadata`` for the versions that were live, oldest first."""

KEPT_VERSIONS = 5
"""Number of versions kept for rollback; older ones are deleted, since all count against a quota."""

_ALIAS = "AWS::Lambda::Alias"
_VERSION = "AWS::Lambda::Version"


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
            return _default(template, code["S3Bucket"])
    return ""


def _default(template: Template, value: Any) -> str:
    """A text, or the default of the parameter it refers to."""
    if isinstance(value, dict):
        return str(template.get("Parameters", {}).get(value.get("Ref"), {}).get("Default", ""))
    return str(value)


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

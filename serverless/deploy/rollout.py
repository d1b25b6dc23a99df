"""Templates of a rollout's stages, from the template of its end. Pure data, no AWS.

======================  ========================================================
:func:`before_traffic`  all but the alias and what hangs on it: a first version that
                        nobody can call but by its number
:func:`pointed`         the alias at a version by its number, all traffic there
:func:`recorded`        with the numbers of the versions that were live, for the way back
======================  ========================================================
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from typing import Any

from serverless.deploy.errors import DeployError
from serverless.deploy.stack import Template

RECORD = "Snapship"
"""Key in a template's ``Metadata`` under which the versions that were live are kept, oldest first."""

KEPT = 5
"""Versions that can be gone back to; older ones are deleted, since all count against a quota."""

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


def before_traffic(template: Template) -> Template:
    """Leaves the alias out, and every resource and output that refers to it.

    Args:
        template: The whole.
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


def pointed(template: Template, version: str) -> Template:
    """Points the alias at a published version, without a share for another.

    Args:
        template: One with an alias.
        version: A version's number.
    """
    changed = copy.deepcopy(template)
    properties = changed["Resources"][alias_id(changed)]["Properties"]
    properties["FunctionVersion"] = version
    properties.pop("RoutingConfig", None)
    if "LiveVersion" in changed.get("Outputs", {}):
        changed["Outputs"]["LiveVersion"]["Value"] = version
    return changed


def recorded(template: Template, live: Sequence[str]) -> Template:
    """Writes down which versions were live before.

    Args:
        template: Any.
        live: Numbers, oldest first; only the last are kept.
    """
    changed = copy.deepcopy(template)
    changed["Metadata"] = {**changed.get("Metadata", {}), RECORD: {"LiveBefore": list(live)[-KEPT:]}}
    return changed


def live_before(template: Template) -> tuple[str, ...]:
    """The versions that :func:`recorded` wrote down, oldest first."""
    record = template.get("Metadata", {}).get(RECORD, {})
    return tuple(str(version) for version in record.get("LiveBefore", ()))


def same(one: Template, other: Template) -> bool:
    """Whether two templates ask for the same, whatever was live before."""
    return recorded(one, ()) == recorded(other, ())


def code_place(template: Template) -> tuple[str, str]:
    """Bucket and key of the template's code; two empty strings when it has none in S3."""
    for entry in template.get("Resources", {}).values():
        code = entry.get("Properties", {}).get("Code") if entry["Type"] == "AWS::Lambda::Function" else None
        if isinstance(code, dict) and "S3Bucket" in code:
            return _default(template, code["S3Bucket"]), _default(template, code["S3Key"])
    return "", ""


def _default(template: Template, value: Any) -> str:
    """A text, or the default of the parameter that it names."""
    if isinstance(value, dict):
        return str(template.get("Parameters", {}).get(value.get("Ref"), {}).get("Default", ""))
    return str(value)


def _only(template: Template, type: str) -> str:
    found = [name for name, entry in template.get("Resources", {}).items() if entry.get("Type") == type]
    if len(found) != 1:
        raise DeployError(
            f"A template of snapship must hold one {type}. Received: {len(found)}. "
            "Deploy again, or destroy what was changed by other means."
        )
    return str(found[0])


def references(node: Any) -> set[str]:
    """Logical ids that a part of a template refers to, parameters included.

    Args:
        node: Any part.
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

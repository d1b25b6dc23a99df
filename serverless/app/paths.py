"""The path of an event's request, without what a gateway or a custom domain puts before it.

::

    REST API, payload 1.0   the path may begin with the base path of a custom domain, and with the
                            stage; ``resource`` and its parameters give the rest
    HTTP API, payload 2.0   the path begins with the stage unless that is ``$default``; a ``routeKey``
                            of a specific route gives the rest
    load balancer,          the path as the client sent it; SNAPSHIP_BASE_PATH is removed
    function URL

Nothing else is removed. Treating every path that ends in ``/classify`` as ``/classify`` would let
clients bypass a gateway that protects only ``/classify``.
"""

from __future__ import annotations

import re
from typing import Any

PATHS = ("/", "/classify", "/health", "/ready", "/labels", "/info", "/openapi.json")
"""Paths of the app's routes."""

_PARAMETER = re.compile(r"\{([^{}]+?)\+?\}")

_OWN_DOMAIN = re.compile(r"\.execute-api\.[a-z0-9-]+\.amazonaws\.com(\.cn)?$", re.ASCII)


def path_of(event: dict[str, Any], path: str, base_path: str) -> str:
    """Finds the app's path.

    Args:
        event: From API Gateway, a function URL or an ALB.
        path: As Mangum reads it.
        base_path: SNAPSHIP_BASE_PATH, e.g. ``/api``; empty for none.
    """
    # A load balancer sends neither; an HTTP API sends "$default" if no specific route matches.
    template = event.get("resource") or str(event.get("routeKey") or "").partition(" ")[2]
    told = _filled(template, event.get("pathParameters"))
    if told is not None and (told == "/" or path.rstrip("/").endswith(told.rstrip("/"))):
        path = told
    elif event.get("resource") in (None, "$default"):
        path = _without_stage(path, event)
    if base_path and (path == base_path or path.startswith(f"{base_path}/")):
        return path[len(base_path) :] or "/"
    return path


def base_path_hint(path: str) -> str:
    """A hint for a path that is one of the app's with a prefix; empty for any other.

    Args:
        path: A path that the app does not have.
    """
    before, _, last = path.rpartition("/")
    if not before or f"/{last}" not in PATHS[1:]:
        return ""
    return f" Request /{last}; if this is a function behind a base path, set SNAPSHIP_BASE_PATH."


def _filled(template: Any, parameters: Any) -> str | None:
    """A route such as ``/{proxy+}`` with its parameters filled in; None if that does not give the path."""
    if not isinstance(template, str) or not template.startswith("/"):
        return None
    known = parameters if isinstance(parameters, dict) else {}
    filled = _PARAMETER.sub(lambda found: str(known.get(found[1], found[0])), template)
    return None if "{" in filled else filled


def _without_stage(path: str, event: dict[str, Any]) -> str:
    """Drops the stage from the path of an HTTP API; a REST API does so by itself."""
    context = event["requestContext"]
    stage, domain = context.get("stage", "$default"), context.get("domainName", "")
    if "version" not in event or stage == "$default":
        return path
    prefix = f"/{stage}"
    if path != prefix and not path.startswith(f"{prefix}/"):
        return path
    if path in PATHS and not _OWN_DOMAIN.search(str(domain)):
        # A custom domain may have a stage that is named like a path, and not show it.
        return path
    return path[len(prefix) :] or "/"

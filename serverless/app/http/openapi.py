"""The OpenAPI 3.1 document of the routes, built from the structs that the routes answer with.

https://spec.openapis.org/oas/v3.1.1.html. What a struct cannot express is written out here:
the status codes of a route, the forms of a body, and the union in
:class:`~serverless.app.core.api_schema.Answers`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from serverless.app.core import api_schema
from serverless.app.core.http_problems import PROBLEM_TYPE
from serverless.app.core.telemetry import REQUEST_ID_HEADER
from serverless.app.http.middleware import KEY_HEADER

VERSION = "3.1.1"

_SCHEMAS = "#/components/schemas/"

_STRUCTS = (
    api_schema.Answer,
    api_schema.Failed,
    api_schema.Health,
    api_schema.Info,
    api_schema.Labels,
    api_schema.Problem,
    api_schema.Ready,
)

_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAMElEQVR42i3GIRIAIBACQHQIBALhgsH/v9MgmxaoBRYo"
    "SRJB2bYJyknyMzPNObu5DzfpAkiJlUQsAAAAAElFTkSuQmCC"
)
"""A real PNG, so that the document's example works."""

_ATTRIBUTES = re.compile(r"\n\s*\n\s*Attributes:")
"""Where a docstring's list of attributes begins; msgspec keeps the indentation."""

_BINARY = {"type": "string", "format": "binary"}

_PROBLEMS = {
    400: "The body or the image is damaged; the detail says how.",
    401: "The API key is missing or wrong.",
    413: "The body or the image's pixel count exceeds a limit; checked before anything is decoded.",
    415: "The Content-Type or the content is not a supported image, or a Content-Encoding is set.",
    422: "The request is readable but breaks a rule, e.g. top_k=0.",
    500: "The server failed; its log has the reason under the request id.",
    503: "The self-test is still running, or failed.",
}

_ABOUT = (
    "Classifies images. Errors are problem details (RFC 9457) with a request id that is also in the server's "
    "log. Any other path is 404, any other method 405 with an Allow header; HEAD is GET without a body."
)


def document(limits: api_schema.Limits, version: str, top_k: int, *, keyed: bool) -> dict[str, Any]:
    """Makes the document.

    Args:
        limits: Limits of a request.
        version: The version of snapship.
        top_k: Classes returned when a request does not say how many.
        keyed: Whether requests need an API key.

    Returns:
        What ``GET /openapi.json`` answers.
    """
    paths = {
        "/": _get("page", "A page to try the model", {"text/html": {"schema": {"type": "string"}}}),
        "/classify": {"post": _classify(limits, top_k, keyed)},
        "/health": _get("health", "Whether the process is alive", _json("Health")),
        "/ready": _get("ready", "Whether the model reproduces its exported answers", _json("Ready"), 503),
        "/labels": _get(
            "labels", "The classes in the order of the model's outputs", _json("Labels"), keyed=keyed
        ),
        "/info": _get("info", "The model, its measured accuracy, and the limits", _json("Info"), keyed=keyed),
        "/openapi.json": _get(
            "openapi", "This document", {"application/json": {"schema": {"type": "object"}}}
        ),
    }
    components: dict[str, Any] = {"schemas": _schemas(limits, top_k)}
    if keyed:
        components["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": KEY_HEADER},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
    return {
        "openapi": VERSION,
        "info": {"title": "snapship", "version": version, "description": _ABOUT},
        # Beside the document: behind a gateway it may not be at the root.
        "servers": [{"url": "./"}],
        "paths": paths,
        "components": components,
    }


def _classify(limits: api_schema.Limits, top_k: int, keyed: bool) -> dict[str, Any]:
    answers = {"schema": {"anyOf": [_ref("Answer"), _ref("Answers")]}}
    operation = _operation("classify", "Classify one or several images", {"application/json": answers})
    operation["parameters"] = [
        {
            "name": name,
            "in": "query",
            "schema": rule,
            "description": f"{rule['description']} Takes precedence over the body.",
        }
        for name, rule in _choices(top_k).items()
    ]
    operation["requestBody"] = {
        "required": True,
        "description": f"At most {limits.max_bytes:,} bytes in total. Several images are answered with a list.",
        "content": {
            "image/*": {"schema": _BINARY},
            "application/octet-stream": {"schema": _BINARY},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "image": {
                            "type": "array",
                            "items": _BINARY,
                            "minItems": 1,
                            "maxItems": limits.max_images,
                            "description": "Files; the field can have any name.",
                        },
                        **_choices(top_k),
                    },
                    "required": ["image"],
                }
            },
            "application/json": {"schema": _ref("ImageRequest"), "example": {"image": _PIXEL, "top_k": 3}},
        },
    }
    return _guarded(operation, keyed, 400, 413, 415, 422)


def _choices(top_k: int) -> dict[str, dict[str, Any]]:
    """Parameters that a query, a form and a JSON body have in common."""
    return {
        "top_k": {
            "type": "integer",
            "minimum": 1,
            "maximum": api_schema.MAX_TOP_K,
            "default": top_k,
            "description": "How many classes to return, best first.",
        },
        "score_threshold": {
            "type": "number",
            "minimum": 0,
            "maximum": 1,
            "description": "Classes with a lower score are omitted.",
        },
    }


def _get(
    id: str, summary: str, content: Mapping[str, Any], *statuses: int, keyed: bool = False
) -> dict[str, Any]:
    return {"get": _guarded(_operation(id, summary, content), keyed, *statuses)}


def _operation(id: str, summary: str, content: Mapping[str, Any]) -> dict[str, Any]:
    answered = {"description": "The answer.", "headers": _headers(), "content": content}
    return {"operationId": id, "summary": summary, "responses": {"200": answered}}


def _guarded(operation: dict[str, Any], keyed: bool, *statuses: int) -> dict[str, Any]:
    """Adds the problems that a route can answer with, and the key it needs."""
    for status in sorted({*statuses, 500, *([401] if keyed else [])}):
        headers = _headers()
        if status == 401:
            headers["WWW-Authenticate"] = _header("How to send a key.")
        if status == 503:
            headers["Retry-After"] = _header("Seconds to wait.")
        operation["responses"][str(status)] = {
            "description": f"{HTTPStatus(status).phrase}. {_PROBLEMS[status]}",
            "headers": headers,
            "content": {PROBLEM_TYPE: {"schema": _ref("Problem")}},
        }
    if keyed:
        operation["security"] = [{"key": []}, {"bearer": []}]
    return operation


def _headers() -> dict[str, Any]:
    return {REQUEST_ID_HEADER: _header("The client's own id if it is well-formed, otherwise a new one.")}


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "required": True, "schema": {"type": "string"}}


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": _ref(name)}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": _SCHEMAS + name}


def _schemas(limits: api_schema.Limits, top_k: int) -> dict[str, Any]:
    _, found = msgspec.json.schema_components(_STRUCTS, ref_template=_SCHEMAS + "{name}")
    found["Answers"] = _answers(found["Answer"]["properties"])
    found["Classified"] = _without(found["Answer"], "model", "timing_ms")
    found["ImageRequest"] = _image_request(limits, top_k)
    for entry in found.values():
        # The attribute lists are for readers of the source.
        if "description" in entry:
            entry["description"] = " ".join(_ATTRIBUTES.split(entry["description"])[0].split())
    return dict(sorted(found.items()))


def _answers(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Written out, since msgspec encodes its union but cannot describe it."""
    assert api_schema.Answers.__struct_fields__ == ("results", "model", "timing_ms")
    results = {"type": "array", "items": {"anyOf": [_ref("Classified"), _ref("Failed")]}, "minItems": 1}
    return {
        "title": "Answers",
        "description": api_schema.Answers.__doc__,
        "type": "object",
        "properties": {"results": results, "model": answer["model"], "timing_ms": answer["timing_ms"]},
        "required": ["results", "model", "timing_ms"],
    }


def _without(entry: Mapping[str, Any], *names: str) -> dict[str, Any]:
    properties = {name: value for name, value in entry["properties"].items() if name not in names}
    required = [name for name in entry["required"] if name not in names]
    return {
        **entry,
        "title": "Classified",
        "description": api_schema.Classified.__doc__,
        "properties": properties,
        "required": required,
    }


def _image_request(limits: api_schema.Limits, top_k: int) -> dict[str, Any]:
    """The struct's fields, with the rule that exactly one of ``image`` and ``images`` is set."""
    assert api_schema.ImageRequest.__struct_fields__ == ("image", "images", "top_k", "score_threshold")
    text = {
        "type": "string",
        "contentEncoding": "base64",
        "description": "Base64, or a data: URL with base64.",
    }
    several = {"type": "array", "items": text, "minItems": 1, "maxItems": limits.max_images}
    choices = {name: {**rule, "type": [rule["type"], "null"]} for name, rule in _choices(top_k).items()}
    forms = []
    for name, rule, other in (("image", text, "images"), ("images", several, "image")):
        properties = {name: rule, other: {"type": "null"}, **choices}
        forms.append(
            {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}
        )
    return {"title": "ImageRequest", "description": api_schema.ImageRequest.__doc__, "oneOf": forms}

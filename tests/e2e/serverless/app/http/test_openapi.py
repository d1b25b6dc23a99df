"""The OpenAPI document before other people's validators, which come with moto in make acceptance."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from serverless.app import create_app
from serverless.app.core.keys import new_key

SECRET, ENTRY = new_key("test")

# Runs there: says what is wrong with a document, and with [schema name, value] pairs against it.
VALIDATE = """
import json, sys
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
document, pairs = json.load(sys.stdin)
wrong = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]
for name, value in pairs:
    schema = {**document, "$ref": "#/components/schemas/" + name}
    wrong += [f"{name}: {error.message}"[:500] for error in Draft202012Validator(schema).iter_errors(value)]
print(json.dumps(wrong))
"""


@pytest.fixture(scope="session")
def validators() -> Path:
    folder = Path(sys.prefix) / "acceptance" / "moto"
    if not (folder / ".ready").is_file():
        pytest.skip("needs moto of make acceptance, which is not installed")
    return folder / "bin" / "python"


def complaints(python: Path, document: Any, pairs: list[tuple[str, Any]]) -> list[str]:
    done = subprocess.run(
        [python, "-c", VALIDATE],
        input=json.dumps([document, pairs]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def ask(app: Starlette, method: str, path: str, **options: Any) -> Any:
    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.request(method, path, **options)

    return asyncio.run(once()).json()


def test_the_document_is_valid_and_so_is_every_answer(validators: Path, digits_bundle: Path) -> None:
    open_app, locked = create_app(digits_bundle), create_app(digits_bundle, keys=ENTRY)
    image = (digits_bundle / "golden" / "0.png").read_bytes()
    files = [("image", ("a.png", image)), ("image", ("b.png", b"no image"))]
    text = base64.b64encode(image).decode()
    document = ask(locked, "GET", "/openapi.json")
    example = document["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]["example"]
    answer = ask(open_app, "POST", "/classify", json=example)
    assert len(answer["predictions"]) == example["top_k"]
    pairs = [
        ("Answer", answer),
        ("Answer", ask(open_app, "POST", "/classify?score_threshold=1", content=image)),
        ("Answers", ask(open_app, "POST", "/classify", files=files)),
        ("Health", ask(open_app, "GET", "/health")),
        ("Ready", ask(open_app, "GET", "/ready")),
        ("Labels", ask(open_app, "GET", "/labels")),
        ("Info", ask(open_app, "GET", "/info")),
        ("Problem", ask(locked, "GET", "/info")),
        ("Problem", ask(open_app, "POST", "/classify", content=b"x")),
        ("ImageRequest", example),
        ("ImageRequest", {"images": [text], "top_k": None, "score_threshold": 0.5, "image": None}),
    ]
    assert complaints(validators, document, pairs) == []
    assert complaints(validators, ask(open_app, "GET", "/openapi.json"), []) == []


def test_what_the_app_refuses_the_schema_refuses(validators: Path, digits_bundle: Path) -> None:
    app = create_app(digits_bundle)
    bodies: list[dict[str, Any]] = [
        {},
        {"image": "", "images": [""]},
        {"images": []},
        {"images": [""] * 17},
        {"image": None},
        {"image": "", "top_k": 0},
        {"image": "", "score_threshold": 2},
        {"image": "", "other": 1},
    ]
    found = complaints(
        validators, ask(app, "GET", "/openapi.json"), [("ImageRequest", body) for body in bodies]
    )
    assert len(found) == len(bodies)
    assert [ask(app, "POST", "/classify", json=body)["status"] for body in bodies] == [422] * len(bodies)


def test_the_validators_find_a_mistake(validators: Path, digits_bundle: Path) -> None:
    document = ask(create_app(digits_bundle), "GET", "/openapi.json")
    del document["paths"]["/labels"]["get"]["responses"]["200"]["description"]
    assert complaints(validators, document, [])

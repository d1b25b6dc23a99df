"""Results as JSON: what no rule says is absent, over HTTP and in the result of an event alike."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge_runtime.engines.result import Prediction, Result
from serverless.app.core.api_schema import Answer, Served, Timing, classified
from serverless.app.events.s3_objects import ObjectClassified, ObjectSource

DOG = Prediction("dog", 1, 0.75)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"answered": False},
        {"known": False, "answered": False},
        {"candidates": (DOG,)},
        {"known": True, "answered": True, "candidates": (DOG, Prediction("cat", 0, 0.25))},
    ],
)
def test_members_are_those_of_the_result_wherever_it_goes(fields: dict[str, Any]) -> None:
    result = Result((DOG,), 0.5, **fields)
    one = classified(result)
    assert msgspec.json.decode(msgspec.json.encode(one)) == result.to_dict()
    assert list(msgspec.json.decode(msgspec.json.encode(one))) == list(result.to_dict())
    answer = Answer(**msgspec.structs.asdict(one), model=Served("pets", "x"), timing_ms=Timing(1.0, 2.0))
    stored = ObjectClassified(**msgspec.structs.asdict(answer), source=ObjectSource("bucket", "key"))
    plain = msgspec.json.decode(msgspec.json.encode(stored))
    assert {name: plain[name] for name in result.to_dict()} == result.to_dict()
    assert set(plain) - set(result.to_dict()) == {"model", "timing_ms", "source"}

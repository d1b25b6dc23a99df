"""Schemathesis makes hundreds of requests of the server's own OpenAPI document; test_fuzz_images the others."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from serverless.app.core.keys import new_key

SEED = 6

# Not these: no schema can say which bytes are a picture, and an unknown query parameter is left alone,
# since caches, trackers and load balancers add theirs.
WITHOUT = "positive_data_acceptance,negative_data_rejection"


@pytest.fixture(scope="session")
def schemathesis() -> Path:
    folder = Path(sys.prefix) / "acceptance" / "schemathesis"
    if not (folder / ".ready").is_file():
        pytest.skip("needs schemathesis of make acceptance, which is not installed")
    return folder / "bin" / "schemathesis"


def fuzzed(program: Path, url: str, place: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            program, "run", f"{url}/openapi.json", "--seed", str(SEED), "--no-shrink", "--checks", "all",
            "--exclude-checks", WITHOUT, "--continue-on-failure", "--request-timeout", "20", *words,
        ],
        capture_output=True, text=True, timeout=300, cwd=place,
    )  # fmt: skip


# With the 750 images of test_fuzz_images more than a thousand.
LEAST = 300


def test_requests_of_the_schema_find_nothing(start, schemathesis: Path, tmp_path: Path) -> None:
    server = start()
    before = server.memory
    done = fuzzed(
        schemathesis, server.url, tmp_path, "--phases", "examples,coverage,fuzzing", "--max-examples", "100"
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    server.logged()
    statuses = Counter(line["status"] for line in server.log)
    assert sum(statuses.values()) >= LEAST, statuses
    assert not [status for status in statuses if status >= 500], statuses
    # It reached the model, and the refusals.
    assert statuses[200] > 50
    assert statuses[422] > 20
    assert server.memory - before < 100_000_000
    assert server.well()


def test_without_the_key_nothing_of_the_schema_is_open(start, schemathesis: Path, tmp_path: Path) -> None:
    secret, entry = new_key("fuzzer")
    (tmp_path / "keys.txt").write_text(entry)
    server = start("--api-keys", str(tmp_path / "keys.txt"))
    done = fuzzed(
        schemathesis, server.url, tmp_path, "--phases", "coverage", "--header", f"x-api-key: {secret}"
    )
    # The check ignored_auth asks again without the key, and with a wrong one.
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr
    server.logged()
    statuses = Counter((line.get("path"), line["status"]) for line in server.log)
    assert statuses["/classify", 401] > 0
    assert statuses["/classify", 200] > 0
    assert secret not in server.out.read_text() + server.err.read_text()

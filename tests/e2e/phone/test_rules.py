"""Rules of the artifact in three browser engines: what the runtime says of the same photos, and what people read."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.browsers.app_page import ANSWER, SETTLED, STATE
from benchmarks.browsers.protocol import Browser, Name, Tab
from benchmarks.browsers.site import Site
from edge_runtime import Classifier
from edge_runtime.bundle.bundle import Bundle
from edge_runtime.engines.selection import open_engine
from edge_runtime.image.preprocess import pixels
from edge_runtime.rules import known_score
from exporter.formats import extra_output

pytestmark = pytest.mark.slow

KIND = "tflite-int8"
PHOTOS = 30
RANK = 8

Kind = str
"""``scores``: every rule, from the scores alone; ``features``: a rule that reads the extra output."""


def gap(values: Sequence[float], share: float) -> float:
    """A threshold with this share of the values below it, in the widest gap near there.

    A browser's scores differ by up to 1e-5 from the runtime's; at a value itself the two might disagree.
    """
    ordered = sorted(values)
    near = range(max(1, int(len(ordered) * share) - 3), min(len(ordered), int(len(ordered) * share) + 4))
    place = max(near, key=lambda at: ordered[at] - ordered[at - 1])
    return (ordered[place] + ordered[place - 1]) / 2


def scores_rules(bundle: Path, photos: list[Path]) -> dict[str, Any]:
    """Rules on the scores alone, with photos above and below each threshold."""
    with Classifier.open(bundle, KIND) as classifier:
        scores = np.stack([classifier.scores(photo) for photo in photos])
    entropies = [known_score.negative_entropy(row) for row in scores]
    seconds = np.sort(scores, axis=1)[:, -2].tolist()
    return {
        "abstain": {
            "max_error": 0.05, "score": "top", "threshold": gap(scores.max(axis=1).tolist(), 0.6),
            "answered": 80, "errors": 1,
        },
        "sets": {"coverage": 0.9, "threshold": gap(seconds, 0.5)},
        "known": {"score": "entropy", "threshold": gap(entropies, 0.3), "kept": 0.95},
    }  # fmt: skip


def features_rules(bundle: Path, artifact: dict[str, Any], photos: list[Path]) -> dict[str, Any]:
    """The model file with its features, and a rule that reads them."""
    file = bundle / artifact["file"]
    data = extra_output.with_features(file.read_bytes(), "tflite", KIND)
    file.write_bytes(data)
    engine = open_engine(data, "tflite", file.name)
    (extra,) = engine.outputs
    outputs = [{"name": extra.name, "dtype": extra.dtype, "shape": list(extra.shape)}]
    artifact.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest(), outputs=outputs)
    input = Bundle.open(bundle).manifest.input
    features = np.stack([engine.run_with(pixels(photo, input), extra.name)[1] for photo in photos])
    engine.close()
    chance = np.random.default_rng(1)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    mean, scales = units.mean(axis=0), np.full(RANK, 5.0)
    directions = np.linalg.qr(chance.normal(size=(features.shape[1], RANK)))[0].T
    images = (((units - mean) @ directions.T) * scales)[::3]
    content = known_score.NearestParameters(mean, scales, 9.0, directions, images).encoded()
    (bundle / "rules").mkdir()
    (bundle / "rules/int8.bin").write_bytes(content)
    read = known_score.NearestParameters.decoded(content, "x")
    found = [known_score.nearest(read, row) for row in features]
    return {
        "known": {
            "score": "nearest", "threshold": gap(found, 0.4), "kept": 0.95, "output": extra.name,
            "file": "rules/int8.bin", "sha256": hashlib.sha256(content).hexdigest(),
        },
    }  # fmt: skip


def ruled_bundle(bundle: Path, out: Path, kind: Kind, photos: list[Path]) -> Path:
    """A copy of a bundle with rules made for these photos; nothing is promised about any."""
    shutil.copytree(bundle, out)
    manifest = json.loads((out / "manifest.json").read_bytes())
    (artifact,) = (entry for entry in manifest["artifacts"] if entry["kind"] == KIND)
    rules = scores_rules(out, photos) if kind == "scores" else features_rules(out, artifact, photos)
    artifact["rules"] = {"images": 100, "data_sha256": "", **rules}
    manifest["schema_version"] = 2
    (out / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return out


@pytest.fixture(scope="session", params=["scores", "features"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


@pytest.fixture(scope="session")
def ruled(
    bundle: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Kind], Path]:
    """The bundle with rules of a kind, made once."""
    made: dict[Kind, Path] = {}

    def ruled_of(kind: Kind) -> Path:
        if kind not in made:
            made[kind] = ruled_bundle(
                bundle, tmp_path_factory.mktemp("ruled") / f"{kind}.bundle", kind, photos[:PHOTOS]
            )
        return made[kind]

    return ruled_of


@pytest.fixture(scope="session")
def ruled_app(
    ruled: Callable[[Kind], Path], make: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[Kind], Path]:
    """The app of such a bundle, made once. Read only."""
    made: dict[Kind, Path] = {}

    def app_of(kind: Kind) -> Path:
        if kind not in made:
            made[kind] = make(ruled(kind), tmp_path_factory.mktemp("ruled-app") / kind)
        return made[kind]

    return app_of


def test_every_engine_judges_as_the_runtime(
    browser: Browser,
    kind: Kind,
    ruled: Callable[[Kind], Path],
    ruled_app: Callable[[Kind], Path],
    pages: Path,
    photos: list[Path],
    host: Callable[..., Site],
) -> None:
    chosen = photos[:PHOTOS]
    with Classifier.open(ruled(kind), KIND) as classifier:
        results = [classifier.classify(photo) for photo in chosen]
    expected = [
        (result.known, result.answered, result.candidates and [entry.index for entry in result.candidates])
        for result in results
    ]
    assert len({known for known, _, _ in expected}) == 2, "photos on both sides of the threshold"
    assert len({answered for _, answered, _ in expected}) == 2
    site = host(ruled_app(kind), {"photos": chosen[0].parent, "pages": pages})
    with browser.page() as tab:
        tab.open(site.url + "pages/classify.html")
        tab.until("globalThis.classifier")
        assert "code" not in tab.value("classifier.open()")
        urls = [f"/photos/{photo.name}" for photo in chosen]
        answers = tab.call("(urls) => classifier.answers(urls)", urls)
        found = [
            (
                one["known"],
                one["answered"],
                one["candidates"] and [entry["index"] for entry in one["candidates"]],
            )
            for one in answers
        ]
        assert found == expected
        # The replay is as before: the extra output changes no score.
        assert tab.value("classifier.replay()")["passed"]


def shown(tab: Tab, count: int, *photos: Path) -> Any:
    tab.choose("#photo-input", *photos)
    tab.until(f"Number(document.querySelector('#answer').dataset.count) === {count}")
    return tab.value(ANSWER)


def test_people_read_not_sure_and_unknown_wherever_an_answer_is(
    browsers: Callable[[Name], Browser],
    ruled: Callable[[Kind], Path],
    ruled_app: Callable[[Kind], Path],
    photos: list[Path],
    host: Callable[..., Site],
) -> None:
    with Classifier.open(ruled("scores"), KIND) as classifier:
        results = {photo: classifier.classify(photo) for photo in photos[:PHOTOS]}
    unknown = next(photo for photo, result in results.items() if result.known is False)
    unsure = next(photo for photo, result in results.items() if result.known and not result.answered)
    sure = next(photo for photo, result in results.items() if result.answered)
    with browsers("chromium").page(width=390, height=844) as tab:
        tab.open(host(ruled_app("scores")).url)
        tab.until(SETTLED)
        assert tab.value(STATE)["state"] == "ready", tab.text("body")
        assert shown(tab, 1, unknown)["verdict"] == "unknown"
        assert tab.text("#answer-label") == "Unknown"
        assert "does not look like anything" in tab.text("#answer-verdict")
        assert shown(tab, 2, unsure)["verdict"] == "unsure"
        assert tab.text("#answer-label") == "Not sure"
        candidates = results[unsure].candidates
        assert candidates is not None
        assert candidates[0].label.replace("_", " ") in tab.text("#answer-verdict")
        answer = shown(tab, 3, sure)
        assert answer["verdict"] == "answered"
        assert tab.text("#answer-label") == results[sure].top.label.replace("_", " ")
        shown(tab, 6, unknown, unsure, sure)
        tiles = tab.value(
            "[...document.querySelectorAll('#queue-list li')].map((one) => one.innerText.trim())"
        )
        assert tiles[:2] == ["Unknown", "Not sure"]
        tab.click("#nav-history")
        kept = tab.value("[...document.querySelectorAll('#history-list b')].map((one) => one.textContent)")
        assert kept[1:3] == ["Not sure", "Unknown"]
        tab.click("#nav-about")
        text = tab.text("#rules-card")
        for number in ("5%", "95%", "80", "90%", "100"):
            assert number in text


def test_an_app_of_before_the_rules_takes_a_version_with_them(
    browsers: Callable[[Name], Browser],
    app: Path,
    ruled_app: Callable[[Kind], Path],
    photos: list[Path],
    host: Callable[..., Site],
) -> None:
    site = host(app)
    new = json.loads((ruled_app("features") / "app.json").read_bytes())["version"]
    with browsers("chromium").page() as tab:
        tab.open(site.url)
        tab.until("document.documentElement.dataset.offline === 'ready'")
        assert shown(tab, 1, photos[0])["verdict"] == "none"
        tab.until("document.documentElement.dataset.kept === '1'")
        site.folder = ruled_app("features")
        tab.reload()
        tab.until(f"document.documentElement.dataset.version === '{new}'")
        tab.until(SETTLED)
        site.close()
        tab.reload()
        tab.until(SETTLED)
        # Offline, so the rule's file is among what was saved; the older answer has no verdict and still opens.
        assert shown(tab, 1, photos[0])["verdict"] in ("unknown", "answered")
        tab.click("#nav-history")
        tab.click("#history-list li:last-child .open")
        assert tab.value(ANSWER)["verdict"] == "none"


def changed_parameters(app: Path) -> None:
    file = app / "bundle/rules/int8.bin"
    file.write_bytes(file.read_bytes()[:-1] + b"\x01")


def missing_parameters(app: Path) -> None:
    (app / "bundle/rules/int8.bin").unlink()


def rules_of_another(app: Path) -> None:
    manifest = app / "bundle/manifest.json"
    content = json.loads(manifest.read_bytes())
    content["artifacts"][0]["rules"]["model_sha256"] = "f" * 64
    manifest.write_text(json.dumps(content), encoding="utf-8")
    listed = json.loads((app / "app.json").read_bytes())
    data = manifest.read_bytes()
    entry = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    listed["files"]["bundle/manifest.json"] = entry
    (app / "app.json").write_text(json.dumps(listed), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "code", "words"),
    [
        (changed_parameters, "changed_file", "rules/int8.bin"),
        (missing_parameters, "missing_file", "rules/int8.bin"),
        (rules_of_another, "bundle", "its own model file"),
    ],
)
def test_rules_that_are_not_whole_are_refused(
    browsers: Callable[[Name], Browser],
    ruled_app: Callable[[Kind], Path],
    tmp_path: Path,
    host: Callable[..., Site],
    damage: Callable[[Path], None],
    code: str,
    words: str,
) -> None:
    own = tmp_path / "app"
    shutil.copytree(ruled_app("features"), own)
    damage(own)
    with browsers("chromium").page() as tab:
        tab.open(host(own).url)
        tab.until(SETTLED)
        assert tab.value(STATE)["state"] == "failed"
        assert tab.value("document.querySelector('#failure').dataset.code") == code
        assert words in tab.text("#failure")

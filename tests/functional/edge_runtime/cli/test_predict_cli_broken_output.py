"""What is said when answers cannot be written, read or finished, by processes of their own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import ExifTags, Image

from edge_runtime import Classifier
from snapship.error_exit import failure_of

ROOT = Path(__file__).resolve().parents[4]
ATTEMPTS = 10


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "snapship", *map(str, words)]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


def complaints(stderr: bytes) -> list[str]:
    # LiteRT greets on stderr when it loads a model; there is no switch for it.
    return [line for line in stderr.decode().splitlines() if not line.startswith("INFO: ")]


def run(
    *words: str | Path, prepare: Callable[[], None] | None = None, stdout: int = subprocess.PIPE
) -> list[str]:
    """Runs a command that must end with exit code 2; returns its lines on stderr."""
    done = subprocess.run(
        command(*words), stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE, timeout=60,
        check=False, env=environment(), preexec_fn=prepare,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    return complaints(done.stderr)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Photos and what is none, so that the workers import and collect garbage when the reader goes."""
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    picture = Image.effect_noise((320, 240), 60).convert("RGB")
    for index in range(0, 300, 2):
        picture.save(folder / f"{index:03}.jpg", exif=exif, progressive=True)
        (folder / f"{index + 1:03}.jpg").write_text("no image")
    return folder


@pytest.mark.parametrize("full", [False, True])
def test_workers_end_when_the_reader_is_gone_or_the_disk_full(
    digits_bundle: Path, photos: Path, full: bool
) -> None:
    words = command("predict", digits_bundle, photos, "--workers", "2", "--json")
    for _ in range(ATTEMPTS):
        with (
            open("/dev/full", "wb") as disk,
            subprocess.Popen(
                words, stdout=disk if full else subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
            ) as child,
        ):
            if child.stdout is not None:
                child.stdout.close()
            assert child.stderr is not None
            try:
                code = child.wait(30)
            finally:
                child.kill()
            lines = complaints(child.stderr.read())
        assert code == (2 if full else 141)
        assert [line.split(".")[0] for line in lines] == (["Error: Output must be writable"] if full else [])


def test_stream_may_be_given_up_in_one_of_its_own_threads(digits_bundle: Path) -> None:
    """As the garbage collector does, wherever it happens to run."""
    image = digits_bundle / "golden" / "0.png"
    raised: list[BaseException] = []

    class GivesUp:
        def read(self, limit: int) -> bytes:
            while not stream.gi_suspended:
                time.sleep(0.001)
            try:
                stream.close()
            except BaseException as error:
                raised.append(error)
            return image.read_bytes()

    with Classifier.open(digits_bundle, "tflite-int8") as classifier:
        sources = [image, GivesUp(), *[image] * 9]
        stream = classifier.classify_many(sources, workers=2)  # type: ignore[arg-type]
        next(stream)
        end = time.monotonic() + 30
        while stream.gi_frame is not None and not raised:
            assert time.monotonic() < end
            time.sleep(0.001)
    assert raised == []


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "DIGITS", "IMAGE", "--json"),
        ("predict", "DIGITS", "IMAGE", "--format", "csv"),
        ("selftest", "DIGITS"),
        ("info", "DIGITS"),
        ("--help",),
        ("--version",),
    ],
)
def test_full_disk_is_one_line(digits_bundle: Path, words: tuple[str, ...]) -> None:
    places = {"DIGITS": str(digits_bundle), "IMAGE": str(digits_bundle / "golden" / "0.png")}
    with open("/dev/full", "wb") as disk:
        (line,) = run(*(places.get(word, word) for word in words), stdout=disk.fileno())
    assert line.startswith("Error: Output must be writable. Received: ")
    assert "(No space left on device)" in line


def test_full_disk_of_stderr_leaves_the_exit_code(digits_bundle: Path) -> None:
    with open("/dev/full", "wb") as disk:
        done = subprocess.run(
            command("predict", digits_bundle, "nothing.png", "--top-k", "0"),
            stdout=disk, stderr=disk, timeout=60, check=False, env=environment(),
        )  # fmt: skip
    # 1 would mean that a check failed.
    assert done.returncode == 2


def test_limit_of_a_file_s_size_is_one_line(digits_bundle: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, 1024))

    (line,) = run("bench", digits_bundle, "--runs", "1", prepare=limit)
    assert "(File too large)" in line


def test_closed_stdin_is_refused(digits_bundle: Path) -> None:
    (line,) = run("predict", digits_bundle, "-", prepare=lambda: os.close(0))
    assert line.startswith("Error: - reads standard input, which must be open")


def test_closed_stdout_is_an_error_where_something_is_printed(digits_bundle: Path, tmp_path: Path) -> None:
    image, out = digits_bundle / "golden" / "0.png", tmp_path / "a.csv"
    (line,) = run("predict", digits_bundle, image, prepare=lambda: os.close(1))
    assert "(Bad file descriptor)" in line
    done = subprocess.run(
        command("predict", digits_bundle, image, "--format", "csv", "--out", out),
        timeout=60, check=False, env=environment(), preexec_fn=lambda: os.closerange(0, 3),
    )  # fmt: skip
    assert done.returncode == 0
    assert len(out.read_text().splitlines()) == 2


@pytest.mark.parametrize("format", ["csv", "parquet"])
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_stop_leaves_nothing_half_written(
    digits_bundle: Path, tmp_path: Path, format: str, ending: signal.Signals
) -> None:
    if format == "parquet":
        pytest.importorskip("pyarrow")
    waits, out = tmp_path / "pipe", tmp_path / "answers" / "a"
    os.mkfifo(waits)
    image = digits_bundle / "golden" / "0.png"
    with subprocess.Popen(
        command("predict", digits_bundle, image, waits, "--format", format, "--out", out),
        stderr=subprocess.PIPE, env=environment(),
    ) as child:  # fmt: skip
        try:
            # Opens once the command reads it, and so waits for more with its output begun.
            with waits.open("wb"):
                time.sleep(0.2)
                assert [path.name[:10] for path in out.parent.iterdir()] == [".snapship-"]
                child.send_signal(ending)
                assert child.wait(60) == 130
            assert child.stderr is not None
            assert complaints(child.stderr.read()) == ["Interrupted."]
        finally:
            child.kill()
    assert list(out.parent.iterdir()) == []


def test_parquet_on_a_full_disk_is_one_line(digits_bundle: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (256, 256))

    out = tmp_path / "a.parquet"
    words = ("predict", digits_bundle, digits_bundle / "golden", "--format", "parquet", "--out", out)
    (line,) = run(*words, prepare=limit)
    assert "(File too large)" in line
    assert list(tmp_path.iterdir()) == []


def test_interrupt_while_the_program_loads_is_one_line() -> None:
    code = """
import sys

class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == "click":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupts())
from snapship.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (
        failure_of(KeyboardInterrupt(), "").exit_code,
        b"Interrupted.\n",
    )


def test_program_starts_where_nothing_is_imported() -> None:
    assert 'snapship = "snapship.__main__:main"\n' in (ROOT / "pyproject.toml").read_text()

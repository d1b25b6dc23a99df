"""Images/s and time left, by a clock that the test turns."""

from __future__ import annotations

import pytest

from trainer.progress import Event
from trainer.progress.console import WINDOW_S, Meter, Reading


class Clock:
    """Seconds."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def reading(meter: Meter) -> Reading:
    found = meter.read()
    assert found is not None
    return found


def step(done: int, total: int = 100, epoch: int = 1, images: int | None = None, **more: object) -> Event:
    return Event("train", done, total, images=32 * done if images is None else images, epoch=epoch, epochs=5,
                 **more)  # type: ignore[arg-type]  # fmt: skip


def test_nothing_is_known_before_the_first_event(clock: Clock) -> None:
    assert Meter(clock).read() is None


def test_speed_and_time_left_follow_the_events(clock: Clock) -> None:
    meter = Meter(clock)
    meter.take(step(0))
    clock.now += 30  # compiling
    for done in range(1, 12):
        meter.take(step(done))
        clock.now += 0.5
    found = reading(meter)
    assert found.images_per_second == pytest.approx(64)
    # 89 steps at half a second; the half second since the last one counts down.
    assert found.left == pytest.approx(44.5 - 0.5)
    assert found.elapsed == pytest.approx(35.5)
    event = found.event
    assert (event.stage, event.done, event.total, event.epoch, event.epochs) == ("train", 11, 100, 1, 5)


def test_time_left_never_goes_below_zero(clock: Clock) -> None:
    meter = Meter(clock)
    for done in (97, 98, 99):
        meter.take(step(done))
        clock.now += 1
    clock.now += 1000
    assert reading(meter).left == 0


def test_resumed_stage_is_measured_from_where_it_begins(clock: Clock) -> None:
    meter = Meter(clock)
    meter.take(step(50))
    clock.now += 30  # compiling
    for done in (51, 52):
        meter.take(step(done))
        clock.now += 1
    found = reading(meter)
    assert found.left == pytest.approx(47)


def test_measuring_val_between_epochs_is_no_training_speed(clock: Clock) -> None:
    meter = Meter(clock)
    for epoch in (1, 2):
        for done in range(5 * epoch - 4, 5 * epoch + 1):
            meter.take(step(done, 10, epoch))
            clock.now += 1
        clock.now += 60
        meter.take(step(5 * epoch, 10, epoch, metrics={"val_accuracy": 0.5}))
    assert reading(meter).images_per_second == pytest.approx(32)


def test_speed_forgets_what_is_long_ago(clock: Clock) -> None:
    meter = Meter(clock)
    done = 0
    for pause in (1.0, 0.1):
        for _ in range(round(3 * WINDOW_S / pause)):
            done += 1
            meter.take(step(done))
            clock.now += pause
    assert reading(meter).images_per_second == pytest.approx(320)


def test_one_slow_step_does_not_hide_the_others(clock: Clock) -> None:
    meter = Meter(clock)
    for done in range(1, 30):
        meter.take(step(done))
        clock.now += 0.01
    clock.now += 3 * WINDOW_S
    meter.take(step(30))
    # Not the 32 images of the slow step alone in its 30 seconds.
    assert reading(meter).images_per_second == pytest.approx(19 * 32 / (3 * WINDOW_S), rel=0.02)


def test_events_without_images_have_no_speed_but_time_left(clock: Clock) -> None:
    meter = Meter(clock)
    for done in (1, 2, 3):
        meter.take(step(done, images=0))
        clock.now += 1
    found = reading(meter)
    assert found.images_per_second is None
    assert found.left == pytest.approx(96)


def test_decoding_counts_images(clock: Clock) -> None:
    meter = Meter(clock)
    for done in (0, 100, 200):
        meter.take(Event("pixels", done, 1000))
        clock.now += 1
    assert reading(meter).images_per_second == pytest.approx(100)


def test_val_is_the_last_and_best_is_kept_over_stages(clock: Clock) -> None:
    meter = Meter(clock)
    meter.take(Event("head", 1, 2, metrics={"val_accuracy": 0.8}))
    meter.take(Event("head", 2, 2, metrics={"val_accuracy": 0.7}))
    meter.take(Event("fine-tune", 0, 2))
    found = reading(meter)
    assert (found.val, found.best, found.event.stage) == (0.7, 0.8, "fine-tune")


def test_new_stage_knows_no_speed_yet(clock: Clock) -> None:
    meter = Meter(clock)
    for done in (1, 2):
        meter.take(step(done))
        clock.now += 1
    meter.take(Event("model", message="building"))
    found = reading(meter)
    assert (found.images_per_second, found.left, found.elapsed, found.event.total) == (None, None, 0, 0)


def test_line_for_people_leaves_the_stage_as_it_was(clock: Clock) -> None:
    meter = Meter(clock)
    meter.take(Event("pixels", 5, 10))
    meter.take(Event("pixels", message="skipped a.png"))
    assert (reading(meter).event.done, reading(meter).event.total) == (5, 10)


def test_clock_that_stands_still_breaks_nothing(clock: Clock) -> None:
    meter = Meter(clock)
    for done in (0, 1, 2, 100):
        meter.take(step(done))
        found = reading(meter)
        assert found.images_per_second is None
        assert found.left is None

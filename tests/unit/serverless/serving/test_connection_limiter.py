"""Who may be connected."""

from __future__ import annotations

from serverless.serving.connection import EVICTABLE_AFTER_S, ConnectionLimiter


class Someone:
    def __init__(self, since: float | None) -> None:
        self.since = since
        self.dropped = False

    def idle_s(self, now: float) -> float:
        return 0.0 if self.since is None else now - self.since

    def drop(self) -> None:
        self.dropped = True


def test_enter_up_to_the_limit() -> None:
    crowd = ConnectionLimiter(2)
    assert crowd.enter(Someone(None), 0.0)
    assert crowd.enter(Someone(None), 0.0)
    assert not crowd.enter(Someone(None), 0.0)
    assert len(crowd) == 2


def test_enter_in_the_place_of_the_longest_idle_one() -> None:
    crowd = ConnectionLimiter(3)
    busy, idle, idlest = Someone(None), Someone(5.0), Someone(1.0)
    for each in (busy, idle, idlest):
        crowd.enter(each, 5.0)
    assert crowd.enter(Someone(None), 10.0)
    assert [each.dropped for each in (busy, idle, idlest)] == [False, False, True]
    assert len(crowd) == 3


def test_enter_leaves_who_has_just_come() -> None:
    crowd = ConnectionLimiter(1)
    new = Someone(10.0)
    crowd.enter(new, 10.0)
    assert not crowd.enter(Someone(10.0), 10.0 + EVICTABLE_AFTER_S / 2)
    assert not new.dropped
    assert crowd.enter(Someone(10.0), 10.0 + EVICTABLE_AFTER_S)
    assert new.dropped


def test_leave_frees_the_place() -> None:
    crowd = ConnectionLimiter(1)
    first = Someone(None)
    crowd.enter(first, 0.0)
    crowd.leave(first)
    assert crowd.enter(Someone(None), 0.0)


def test_may_linger_is_limited_too() -> None:
    crowd = ConnectionLimiter(2)
    leaving = [Someone(None) for _ in range(3)]
    for each in leaving[:2]:
        crowd.enter(each, 0.0)
    # The third one was refused, and wants to leave slowly like the others.
    assert [crowd.may_linger(each) for each in leaving] == [True, True, False]
    assert len(crowd) == 0
    crowd.leave(leaving[0])
    assert crowd.may_linger(Someone(None))

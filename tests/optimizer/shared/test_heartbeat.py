"""Who is dead: who was heard of, and then not for so long; a sleeper's own clock tells nothing."""

from pytest_mipro.optimizer.shared.heartbeat import FailureDetector, heartbeat_interval


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def look(
    detector: FailureDetector, clock: Clock, seconds: float, sign: object, step: float = 1.0
) -> bool:
    """Look every `step` seconds; return what the last look says."""
    silent = False
    for _ in range(round(seconds / step)):
        clock.now += step
        detector.begin_round()
        silent = detector.is_silent(1, sign)
    return silent


def test_silence_counts_from_the_first_look_on() -> None:
    clock = Clock()
    detector = FailureDetector(10, clock)
    clock.now += 4
    assert not look(detector, clock, 11, 0)
    assert look(detector, clock, 1, 0)


def test_a_sign_of_life_begins_the_count_anew() -> None:
    clock = Clock()
    detector = FailureDetector(10, clock)
    for beat in range(20):
        assert not look(detector, clock, 9, beat)
    assert not look(detector, clock, 2, 20)
    assert look(detector, clock, 11, 20)


def test_who_slept_through_it_begins_anew() -> None:
    clock = Clock()
    detector = FailureDetector(10, clock)
    look(detector, clock, 9, 0)
    clock.now += 3600
    assert not look(detector, clock, 9, 0)
    assert look(detector, clock, 3, 0)


def test_several_signs_of_life_fit_into_the_timeout() -> None:
    assert heartbeat_interval(30) == 2
    assert heartbeat_interval(1) == 0.2

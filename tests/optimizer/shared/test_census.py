"""Who is dead: who was heard of, and then not for so long; a sleeper's own clock tells nothing."""

from pytest_mipro.optimizer.shared.census import Census, beat_of


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def look(census: Census, clock: Clock, seconds: float, sign: object, step: float = 1.0) -> bool:
    """Look every `step` seconds; return what the last look says."""
    silent = False
    for _ in range(round(seconds / step)):
        clock.now += step
        census.begin_round()
        silent = census.silent(1, sign)
    return silent


def test_silence_counts_from_the_first_look_on() -> None:
    clock = Clock()
    census = Census(10, clock)
    clock.now += 4
    assert not look(census, clock, 11, 0)
    assert look(census, clock, 1, 0)


def test_a_sign_of_life_begins_the_count_anew() -> None:
    clock = Clock()
    census = Census(10, clock)
    for beat in range(20):
        assert not look(census, clock, 9, beat)
    assert not look(census, clock, 2, 20)
    assert look(census, clock, 11, 20)


def test_who_slept_through_it_begins_anew() -> None:
    clock = Clock()
    census = Census(10, clock)
    look(census, clock, 9, 0)
    clock.now += 3600
    assert not look(census, clock, 9, 0)
    assert look(census, clock, 3, 0)


def test_several_signs_of_life_fit_into_the_patience() -> None:
    assert beat_of(30) == 2
    assert beat_of(1) == 0.2

"""The ledger: what is used, in flight and held back together never exceeds a limit."""

from __future__ import annotations

from dataclasses import dataclass
from threading import RLock

from pytest_mipro.optimizer.study.amount import NOTHING, Amount, Limits


class Ledger:
    """Counts what is used, in flight and held back against `limits`. Thread-safe."""

    def __init__(self, limits: Limits, used: Amount = NOTHING) -> None:
        self.limits = limits
        self.used = used
        self.in_flight = NOTHING
        """The worst case of what has begun and not ended."""
        self.held = NOTHING
        """What is kept for later."""
        self._lock = RLock()

    @property
    def spent(self) -> Amount:
        """What is used, and what is in flight at its worst case."""
        with self._lock:
            return self.used + self.in_flight

    def left(self, keep: Amount = NOTHING) -> Amount:
        """Return what each limit leaves beside `keep` (below 0: too little); None: no limit."""
        with self._lock:
            return self.limits.less(self.spent + self.held + keep)

    def begin(self, worst: Amount, *, keep: Amount = NOTHING) -> bool:
        """Count an amount as in flight; False, and no change, if it does not fit beside `keep`."""
        if worst.negative:
            raise ValueError(f"can't begin {worst}")
        with self._lock:
            fits = worst.within(self.left(keep))
            if fits:
                self.in_flight += worst.known
            return fits

    def end(self, worst: Amount, took: Amount) -> None:
        """Count `took` as used for what was in flight at `worst`."""
        with self._lock:
            self.in_flight -= worst.known
            self.used += took

    def hold(self, amount: Amount) -> bool:
        """Hold this amount back, in place of what was held; False, and no change, if too much."""
        with self._lock:
            fits = (self.spent + amount.known).within(self.limits)
            if fits:
                self.held = amount.known
            return fits

    def part(
        self,
        purpose: str,
        worst: Amount,
        expected: Amount | None = None,
        *,
        stage: str = "",
        keep: Amount = NOTHING,
    ) -> Part | None:
        """Return a part that may take at most `worst`, None where that does not fit beside `keep`.

        If nothing else is in flight and `expected` fits, the part may take all that is left.
        """
        most = self.limits.counted(worst)
        with self._lock:
            whole = self.begin(most, keep=keep)
            if not whole:
                left = self.left(keep)
                if expected is None or self.in_flight != NOTHING or not expected.within(left):
                    return None
                most = most.at_most(left)
                self.begin(most, keep=keep)
        return Part(self, most, Ledger(Limits(*most.values)), purpose, stage, whole)


@dataclass(frozen=True, eq=False)
class Part:
    """One part of a study: at most `most` of the study's ledger, in a ledger of its own.

    `whole` tells that `most` is the part's worst case; a part without it runs alone.
    """

    study: Ledger
    most: Amount
    ledger: Ledger
    purpose: str
    stage: str
    whole: bool = True

    def close(self, took: Amount) -> None:
        """End the part, once; what it did not take returns to the study's ledger."""
        self.study.end(self.most, took)

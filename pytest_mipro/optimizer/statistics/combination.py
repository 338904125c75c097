"""A lift shown by two samples: rows that chose among a few leaders, and rows that it never saw.

Rows that choose prove less, as the best of several is in part the luckiest, and holdout rows are
few. Together they prove more, if the first are corrected for the choice: the design of trials that
go on with the best of several treatments. It holds for candidates that were there before the rows
were seen: no one else may choose on them. Sources: Bauer & Köhne 1994, "Evaluation of experiments
with adaptive interim analyses", Biometrics 50; Bretz et al. 2006, "Confirmatory seamless phase
II/III clinical trials with hypotheses selection at interim: general concepts", Biometrical Journal
48.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from pytest_mipro.optimizer.statistics.distributions import normal_cdf, normal_quantile
from pytest_mipro.optimizer.statistics.intervals import PairedLift
from pytest_mipro.optimizer.statistics.lower_bound import sureness

# No sample speaks for or against a lift with more than this.
_MOST_SURE = 6.0
_STEPS = 50
_SLICES = 200


@dataclass(frozen=True)
class Combined:
    """The lift of the best of `tried` candidates on `fresh` rows and on `chosen` ones.

    Each sample counts by its number of rows, which is settled before anything is measured.
    """

    fresh: PairedLift
    chosen: PairedLift
    tried: int

    def lower(self, level: float) -> float:
        """Return the one-sided lower bound of the lift, at most its mean on fresh rows."""
        wanted = critical(level, self._share)
        low, high = -1.0, self.fresh.mean
        for _ in range(_STEPS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._sureness(middle) > wanted else (low, middle)
        return low

    def _sureness(self, value: float) -> float:
        """Return how sure it is that the lift is above a value, as a normal quantile."""
        one = _bounded(sureness(self.fresh.differences, value))
        other = corrected(sureness(self.chosen.differences, value), self.tried)
        return math.sqrt(self._share) * one + math.sqrt(1 - self._share) * other

    @property
    def _share(self) -> float:
        """The weight of the fresh rows, 0…1."""
        return self.fresh.rows / (self.fresh.rows + self.chosen.rows)


def corrected(sure: float, tried: int) -> float:
    """Return how sure the best of `tried` makes, each with its part of the error (Bonferroni).

    At least 0: rows that choose don't speak against.
    """
    error = tried * (1 - normal_cdf(_bounded(sure)))
    return 0.0 if error >= 0.5 else _bounded(-normal_quantile(error))


@lru_cache(maxsize=256)
def critical(level: float, share: float) -> float:
    """Return what the joint sureness exceeds with probability 1 - `level` where nothing is better.

    It is √share·X + √(1 - share)·max(0, Y) with X and Y standard normal: more than a normal
    quantile, as Y counts only where it speaks for the lift.
    """
    low, high = normal_quantile(level), _MOST_SURE
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _tail(middle, share) > 1 - level else (low, middle)
    return high


def _tail(value: float, share: float) -> float:
    """Return the probability that the joint sureness is above a value; by the midpoint rule."""
    one, other = math.sqrt(share), math.sqrt(1 - share)
    width = _MOST_SURE / _SLICES
    points = (width * (place + 0.5) for place in range(_SLICES))
    helped = (_density(at) * (1 - normal_cdf((value - other * at) / one)) for at in points)
    return 0.5 * (1 - normal_cdf(value / one)) + width * math.fsum(helped)


def _density(value: float) -> float:
    return math.exp(-value * value / 2) / math.sqrt(2 * math.pi)


def _bounded(sure: float) -> float:
    return min(_MOST_SURE, max(-_MOST_SURE, sure))

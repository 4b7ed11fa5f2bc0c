"""How many outstanding points are expected never to be used: pure arithmetic over cohorts.

The method of ultimate redemption rates by cohort, as in T. Gault, L. Llaguno, M. Ménard, "Loyalty
Rewards and Gift Card Programs: Basic Actuarial Estimation Techniques" (CAS E-Forum): what became
of points whose time is over tells what becomes of those that are still good. IFRS 15, B44–B47,
lets a programme count on breakage that it can expect from history.

A cohort is all lots with the same last good day. Over cohorts that ended in the 365 days before:

    rate = Σ lapsed unused ÷ Σ (credited − taken back)

    expected of an open cohort = min(outstanding, rate × (credited − taken back))

because what a cohort will lose in the end is a share of all that it was given, whatever has been
spent so far. A cohort whose last day is over has lost all that is left of it. Points that are good
while their owner is active have no last day: there the rate is lapsed ÷ (lapsed + spent) over the
same 365 days, of what is outstanding. Points that never expire have no history of being lost:
none is expected.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from members.points.models import NEVER, WHILE_ACTIVE

HISTORY = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Cohort:
    """All lots with one last good day, as of the end of a day.

    `credited` less `taken_back` is what the members were given; `lapsed` of it expired unused,
    `outstanding` is left. `lapsed_lately` and `spent_lately` are what moved in the last 365 days.
    """

    expires_on: date
    credited: int
    taken_back: int
    lapsed: int
    outstanding: int
    lapsed_lately: int = 0
    spent_lately: int = 0


@dataclass(frozen=True, slots=True)
class Breakage:
    """`lapsed` of `matured` points were lost in history; `expected` are of what is outstanding."""

    matured: int
    lapsed: int
    expected: int


def expected_breakage(*, cohorts: Iterable[Cohort], on: date) -> Breakage:
    """Return the breakage expected at the end of a day, by the formula of this module.

    Whole points, rounded half to even once for each cohort.
    """
    found = list(cohorts)
    ended = [c for c in found if on - HISTORY <= c.expires_on < on]
    matured = sum(max(c.credited - c.taken_back, 0) for c in ended)
    lapsed = sum(c.lapsed for c in ended)
    rate = Fraction(lapsed, matured) if matured else Fraction(0)
    expected = 0
    for cohort in found:
        if cohort.expires_on == NEVER or cohort.outstanding <= 0:
            continue
        if cohort.expires_on == WHILE_ACTIVE:
            gone = cohort.lapsed_lately + cohort.spent_lately
            share = Fraction(cohort.lapsed_lately, gone) if gone else Fraction(0)
            expected += round(share * cohort.outstanding)
        elif cohort.expires_on <= on:
            expected += cohort.outstanding
        else:
            given = max(cohort.credited - cohort.taken_back, 0)
            expected += min(cohort.outstanding, round(rate * given))
    return Breakage(matured=matured, lapsed=lapsed, expected=expected)

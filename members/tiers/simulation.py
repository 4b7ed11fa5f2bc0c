"""Trying a scheme out on the real members, without storing anything.

Where would each active member stand if the scheme had been in force all along, as of a day? Who
reaches a higher tier rises to it. Who holds a tier keeps it with its keep threshold, and otherwise
goes where the downgrade policy leads in the end, after notice and grace. In windows of a year the
better of this year and the last counts, as a tier won last year still holds. Paid terms and
decisions of staff hold as they do today.

One aggregate over the journal or the days, into a temporary table that goes at the end. In steps,
each a transaction of its own, so that a job can say how far it is.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.clock import local_date
from members.tiers._drafts import check_draft
from members.tiers._metrics import beginning_of, wallet_of
from members.tiers.costs import TABLE, TierCost, Yardstick, get_yardstick, list_estimators
from members.tiers.models import Tier, TierScheme
from members.tiers.queries import list_tiers
from members.tiers.rules import add_months, match_tier
from members.tiers.values import SchemeDraft
from tenants.brands.context import current_brand

_SECONDS = 600
# Only the sums need the whole journal: growth and points count on the day of the entry, what is
# taken back on the day of what it takes back. By account first: the owners of a million sums are
# soon found, those of many million entries are not.
_JOURNAL = """
    SELECT account.owner_id AS member_id, counted.metric FROM (
        SELECT entry.account_id, {sums} AS metric FROM (
            SELECT account_id, {amount} AS amount, at FROM members_entry
            WHERE kind IN ({kinds}) AND at < {to_at} AND at >= COALESCE({least_at}, '-infinity')
            UNION ALL
            SELECT taken.account_id, taken.delta{shortfall}, undone.at FROM members_entry AS taken
            JOIN members_entry AS undone
                ON undone.account_id = taken.account_id AND undone.seq = taken.ref_seq
            WHERE taken.kind = 10 AND taken.at >= COALESCE({least_at}, '-infinity')
        ) AS entry{years}
        GROUP BY entry.account_id
    ) AS counted JOIN members_account AS account ON account.id = counted.account_id
    WHERE account.wallet_id = %(wallet)s
"""
_DAYS = """
    SELECT entry.member_id, {sums} AS metric FROM (
        SELECT member_id, {amount} AS amount, on_date FROM members_memberday
        WHERE on_date < %(to_on)s AND on_date >= COALESCE(%(least_on)s::date, '-infinity')
    ) AS entry{years}
    GROUP BY entry.member_id
"""
_TABLE = """
CREATE TEMPORARY TABLE {table} AS
WITH sums AS ({sums}), placed AS (
    SELECT member.id AS member_id, COALESCE(held.old_rank, 1) AS old_rank,
        COALESCE(earned.new_rank, 1) AS rank, COALESCE(sums.metric, 0)::bigint AS metric,
        pinned.exact_rank, pinned.least_rank
    FROM members_member AS member
    LEFT JOIN members_membertier AS stored ON stored.member_id = member.id
    LEFT JOIN sums ON sums.member_id = member.id
    LEFT JOIN unnest(%(known_ids)s::bigint[], %(old_ranks)s::int[]) AS held (tier_id, old_rank)
        ON held.tier_id = stored.tier_id
    LEFT JOIN unnest(%(known_ids)s::bigint[], %(new_ranks)s::int[]) AS earned (tier_id, new_rank)
        ON earned.tier_id = COALESCE(stored.earned_tier_id, stored.tier_id)
    LEFT JOIN (
        SELECT member_id, max(rank) FILTER (WHERE mode = 'exactly') AS exact_rank,
            max(rank) FILTER (WHERE mode = 'at_least') AS least_rank
        FROM (SELECT member_id, mode, (%(new_ranks)s::int[])[
                array_position(%(known_ids)s::bigint[], tier_id)] AS rank
            FROM members_tierpin WHERE applied_at IS NOT NULL AND ended_at IS NULL) AS pin
        GROUP BY member_id
    ) AS pinned ON pinned.member_id = member.id
    WHERE member.status = 'active'
), reached AS (
    SELECT placed.*, GREATEST(width_bucket(metric, %(entries)s::bigint[]), 1) AS target FROM placed
), settled AS (
    SELECT reached.*, CASE WHEN target >= rank THEN target ELSE {lower} END AS earned_rank
    FROM reached
)
SELECT member_id, old_rank, metric,
    COALESCE(exact_rank, GREATEST(earned_rank, least_rank)) AS new_rank,
    (%(old_bps)s::int[])[old_rank] AS old_bp,
    (%(new_bps)s::int[])[COALESCE(exact_rank, GREATEST(earned_rank, least_rank))] AS new_bp
FROM settled
"""


@dataclass(frozen=True, slots=True)
class Move:
    """How many members would go from one tier to another, or stay; ranks of both schemes."""

    old_rank: int
    new_rank: int
    members: int


@dataclass(frozen=True, slots=True)
class Simulation:
    """What a draft would do. Money in minor units a month.

    `old_tiers` are of the scheme in force (none: nobody has a tier yet), `codes` those of the draft,
    both in order of rank. `risen` and `fallen` compare by code where both schemes have it, else by
    rank.
    """

    on: date
    old_tiers: tuple[Tier, ...]
    draft: SchemeDraft
    moves: tuple[Move, ...]
    costs: tuple[TierCost, ...]
    yardstick: Yardstick
    risen: int
    fallen: int

    @property
    def members(self) -> int:
        """Return how many members were looked at."""
        return sum(move.members for move in self.moves)

    @property
    def now_minor(self) -> int:
        """Return what a month costs today."""
        return sum(cost.now_minor for cost in self.costs)

    @property
    def then_minor(self) -> int:
        """Return what a month would cost."""
        return sum(cost.then_minor for cost in self.costs)

    def size_then(self, rank: int) -> int:
        """Return how many members a tier of the draft would have."""
        return sum(move.members for move in self.moves if move.new_rank == rank)

    def size_now(self, rank: int) -> int:
        """Return how many members a tier of today has."""
        return sum(move.members for move in self.moves if move.old_rank == rank)

    def ratio(self, cost_minor: int) -> float | None:
        """Return a cost as a share of the month's revenue; None without revenue."""
        revenue = self.yardstick.revenue_minor
        return cost_minor / revenue if revenue else None

    @property
    def is_over_line(self) -> bool:
        """Whether the cost would pass the line against revenue."""
        share = self.ratio(self.then_minor)
        return share is not None and share * 10_000 > self.yardstick.line_bp

    @property
    def is_over_budget(self) -> bool:
        """Whether a month would cost more than its budget."""
        budget = self.yardstick.budget_minor
        return budget is not None and self.then_minor > budget


def simulate(
    *, draft: SchemeDraft, at: datetime, progress: Callable[[int, int], None] | None = None
) -> Simulation:
    """Return what a scheme would do to the members of today; nothing is stored.

    `progress` is told of each step that is done, of how many, between transactions.

    :raises InvalidSchemeError: for a draft that can not be, with a pointer to the place.
    """
    check_draft(draft)
    on = local_date(at, current_brand().timezone)
    old = tuple(list_tiers(on=on))
    new = tuple(
        Tier(rank=rank, code=tier.code, entry_threshold=tier.entry_threshold)
        for rank, tier in enumerate(draft.tiers, start=1)
    )
    codes = [tier.code for tier in new]
    old_codes = [tier.code for tier in old] or codes[:1]
    estimators = list_estimators()
    steps = len(estimators) + 2
    tell = progress or (lambda _done, _total: None)
    tell(0, steps)
    try:
        with _patient() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
            cursor.execute(*_statement(draft, old, new, on))
            cursor.execute(f"ANALYZE {TABLE}")
        tell(1, steps)
        with _patient() as cursor:
            cursor.execute(
                f"SELECT old_rank, new_rank, count(*) FROM {TABLE} GROUP BY 1, 2 ORDER BY 1, 2"  # noqa: S608
            )
            moves = tuple(Move(*row) for row in cursor.fetchall())
        costs = []
        for number, estimate in enumerate(estimators, start=2):
            tell(number, steps)
            with _patient():
                costs.append(estimate(on=on, old_codes=old_codes, new_codes=codes))
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
    changes = [_step(move, old, new) * move.members for move in moves]
    return Simulation(
        on=on,
        old_tiers=old,
        draft=draft,
        moves=moves,
        costs=tuple(costs),
        yardstick=get_yardstick(on),
        risen=sum(change for change in changes if change > 0),
        fallen=-sum(change for change in changes if change < 0),
    )


@contextmanager
def _patient() -> Iterator[Any]:
    """Give a cursor in a transaction with room and time for many rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), "
            "set_config('work_mem', '96MB', true)",
            [f"{_SECONDS}s"],
        )
        yield cursor


def _step(move: Move, old: Sequence[Tier], new: Sequence[Tier]) -> int:
    """Return 1 for up, −1 for down, 0 for the same tier."""
    before = match_tier(new, old[move.old_rank - 1]).rank if old else 1
    return (move.new_rank > before) - (move.new_rank < before)


def _statement(
    draft: SchemeDraft, old: Sequence[Tier], new: Sequence[Tier], on: date
) -> tuple[str, dict[str, Any]]:
    known = list(Tier.objects.exclude(scheme__status=TierScheme.Status.DRAFT))
    params: dict[str, Any] = {
        "zone": current_brand().timezone,
        "on": on,
        "to_on": on + timedelta(days=1),
        "wallet": wallet_of(draft.metric),
        "known_ids": [tier.pk for tier in known],
        "old_ranks": [match_tier(old, tier).rank for tier in known] if old else [],
        "new_ranks": [match_tier(new, tier).rank for tier in known],
        "entries": [tier.entry_threshold for tier in draft.tiers],
        "old_bps": [tier.multiplier_bp for tier in old] or [10_000],
        "new_bps": [tier.multiplier_bp for tier in draft.tiers],
        **_window(draft, on),
    }
    text = _TABLE.format(table=TABLE, sums=_sums(draft), lower=_lower(draft))
    return text, params


def _window(draft: SchemeDraft, on: date) -> dict[str, date | None]:
    """Return the first days of this window and the last, and of all that is read."""
    to_on = on + timedelta(days=1)
    first: date | None = None
    before: date | None = None
    if draft.window == TierScheme.Window.ROLLING:
        first = add_months(to_on, -(draft.window_months or 0))
    elif draft.window == TierScheme.Window.CALENDAR_YEAR:
        first, before = date(on.year, 1, 1), date(on.year - 1, 1, 1)
    elif draft.window == TierScheme.Window.ANNIVERSARY_YEAR:
        before = add_months(to_on, -24) - timedelta(days=2)
    return {"first_on": first, "before_on": before, "least_on": before or first}


def _sums(draft: SchemeDraft) -> str:
    is_day = wallet_of(draft.metric) is None
    is_yearly = draft.window == TierScheme.Window.ANNIVERSARY_YEAR

    def total(since: str, until: str = "") -> str:
        column = "on_date" if is_day else "at"

        def bound(day: str) -> str:
            if is_yearly:
                # Worked out once for each member, not for each entry.
                return day
            return f"{day}::date" if is_day else beginning_of(day)

        condition = f"{column} >= {bound(since)}"
        if until:
            condition += f" AND {column} < {bound(until)}"
        return f"COALESCE(sum(amount) FILTER (WHERE {condition}), 0)"

    if draft.window == TierScheme.Window.LIFETIME:
        sums = "sum(amount)"
    elif draft.window == TierScheme.Window.ROLLING:
        sums = total("%(first_on)s")
    elif draft.window == TierScheme.Window.CALENDAR_YEAR:
        sums = f"GREATEST({total('%(first_on)s')}, {total('%(before_on)s', '%(first_on)s')})"
    else:
        sums = f"GREATEST({total('year.first')}, {total('year.before', 'year.first')})"
    if is_day:
        spent = "spend_minor - refunded_minor"
        return _DAYS.format(
            amount=spent if draft.metric == TierScheme.Metric.SPEND else "orders",
            sums=sums,
            years=_DAY_YEARS if is_yearly else "",
        )
    is_growth = draft.metric == TierScheme.Metric.GROWTH
    return _JOURNAL.format(
        amount="delta",
        kinds="1, 5" if is_growth else "1",
        shortfall="" if is_growth else " - COALESCE(taken.shortfall, 0)",
        to_at=beginning_of("%(to_on)s::date"),
        least_at=beginning_of("%(least_on)s::date"),
        sums=sums,
        years=_JOURNAL_YEARS if is_yearly else "",
    )


_YEARS = (
    "(EXTRACT(year FROM %(on)s::date) - EXTRACT(year FROM joined.on_day))::int "
    "- CASE WHEN joined.on_day + make_interval(years => (EXTRACT(year FROM %(on)s::date) "
    "- EXTRACT(year FROM joined.on_day))::int) > %(on)s::date THEN 1 ELSE 0 END"
)
_ANNIVERSARIES = f"""
    SELECT id, (joined.on_day + make_interval(years => {_YEARS}))::date AS first,
        (joined.on_day + make_interval(years => {_YEARS} - 1))::date AS before
    FROM (SELECT id, (enrolled_at AT TIME ZONE %(zone)s)::date AS on_day
        FROM members_member OFFSET 0) AS joined
"""  # noqa: S608
_DAY_YEARS = f" JOIN ({_ANNIVERSARIES} OFFSET 0) AS year ON year.id = entry.member_id"
_JOURNAL_YEARS = f"""
    JOIN (
        SELECT account.id, {beginning_of("days.first")} AS first,
            {beginning_of("days.before")} AS before
        FROM ({_ANNIVERSARIES} OFFSET 0) AS days
        JOIN members_account AS account
            ON account.owner_id = days.id AND account.wallet_id = %(wallet)s
        OFFSET 0
    ) AS year ON year.id = entry.account_id
"""  # noqa: S608


def _lower(draft: SchemeDraft) -> str:
    """Return where a member ends who reaches less than the tier held, as SQL."""
    if draft.downgrade_policy == TierScheme.DowngradePolicy.NEVER:
        return "rank"
    keeps = [(rank, tier.keep_threshold) for rank, tier in enumerate(draft.tiers, start=1)]
    if draft.downgrade_policy == TierScheme.DowngradePolicy.RECOMPUTE:
        kept = " ".join(
            f"WHEN rank = {rank} AND metric >= {keep} THEN {rank}" for rank, keep in keeps
        )
        return f"CASE {kept} ELSE target END"
    # Step by step, until a tier is kept.
    kept = " ".join(
        f"WHEN rank >= {rank} AND metric >= {keep} THEN {rank}" for rank, keep in reversed(keeps)
    )
    return f"CASE {kept} ELSE 1 END"

"""`rules.compute` in SQL, over all purchases of a file. See `imports` for how it is used."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from members.earning._keys import EARNING_KEY_SQL
from members.earning.boosts import BOOST_AT_SQL, BOOST_KEY, has_boosts
from members.earning.models import Campaign, EarningRule
from members.earning.rules import BASIS, GROWTH, MAX_CAMPAIGN_BP, POINTS, acts_on, wallets_of
from members.points.values import MAX_POINTS
from members.segments.conditions import compile_sql, parse
from members.tiers.models import TierScheme

Statement = tuple[str, dict[str, Any]]

# One row per purchase, in the order in which they count. `amount` is what it adds to the metric.
# Which campaigns it falls in is decided once, here.
_ORDER = """
CREATE TEMPORARY TABLE earning_order ON COMMIT DROP AS
SELECT row_number() OVER (ORDER BY added.occurred_at, added.purchase_id) AS ordinal,
    added.purchase_id, added.member_id, added.occurred_at, added.local_date, added.amount_minor,
    member.status = 'active' AS earns, 0::bigint AS amount, {basis} AS multiplier_bp{columns}
FROM {table} AS added JOIN members_member AS member ON member.id = added.member_id
"""

_WORK = """
CREATE TEMPORARY TABLE earning_work (
    ordinal bigint NOT NULL,
    slot int NOT NULL,
    purchase_id bigint NOT NULL,
    member_id bigint NOT NULL,
    occurred_at timestamptz NOT NULL,
    local_date date NOT NULL,
    rule_id bigint NOT NULL,
    wallet varchar(8) NOT NULL,
    amount bigint NOT NULL,
    raw bigint NOT NULL,
    base bigint NOT NULL,
    pending_days int,
    eligible bigint NOT NULL,
    tier_bp int,
    campaign_bp int,
    campaigns bigint[],
    is_capped bool NOT NULL
) ON COMMIT DROP
"""

_RAW = """
SELECT added.ordinal, {slot} AS slot, added.purchase_id, added.member_id, added.occurred_at, added.local_date,
    {rule}::bigint AS rule_id, '{wallet}'::varchar AS wallet, {eligible} AS eligible,
    LEAST(div({numerator}, {denominator}), {most})::bigint AS raw,
    LEAST(div({base}), {most})::bigint AS base,
    {pending}::int AS pending_days, {day_cap}::bigint AS day_cap, {month_cap}::bigint AS month_cap,
    added.multiplier_bp AS tier_bp, {factor} AS campaign_bp, {makers} AS campaigns{group}
FROM earning_order AS added{lines}
WHERE added.earns AND {matches}
"""

# Of the rules of one group one gives: the best, or the first by priority.
_CHOSEN = """fitting AS ({raw}), raw AS (
    SELECT * FROM (
        SELECT fitting.*, CASE WHEN stack_group <> '' THEN row_number() OVER (
            PARTITION BY ordinal, stack_group
            ORDER BY CASE WHEN is_best THEN raw END DESC, priority, rule_id) END AS place
        FROM fitting
    ) AS placed WHERE place IS NULL OR place = 1
)"""

# Running totals: what a cap leaves of an amount is the growth of the capped total.
_AMOUNTS = """
INSERT INTO earning_work (ordinal, slot, purchase_id, member_id, occurred_at, local_date, rule_id,
    wallet, amount, raw, base, pending_days, eligible, tier_bp, campaign_bp, campaigns, is_capped)
WITH {raw}, daily AS (
    SELECT raw.*, date_trunc('month', raw.local_date)::date AS month,
        {day_amount} AS day_amount
    FROM raw{day_used}
), monthly AS (
    SELECT daily.*, {month_amount} AS given
    FROM daily{month_used}
)
SELECT ordinal, slot, purchase_id, member_id, occurred_at, local_date, rule_id, wallet,
    given::bigint,
    raw, base, pending_days, eligible, {bps}, day_cap IS NOT NULL OR month_cap IS NOT NULL
FROM monthly WHERE raw > 0
"""

_DAY_AMOUNT = (
    "LEAST(raw.day_cap, COALESCE(used.amount, 0) + sum(raw.raw) OVER same_day) "
    "- LEAST(raw.day_cap, COALESCE(used.amount, 0) + sum(raw.raw) OVER same_day - raw.raw)"
)
_DAY_USED = """ LEFT JOIN (
        SELECT member_id, rule_id, on_date, sum(amount) AS amount FROM members_earning
        WHERE {history} AND is_capped AND wallet = '{wallet}' AND rule_id = ANY(%(capped)s)
            AND member_id IN (SELECT member_id FROM earning_order)
        GROUP BY member_id, rule_id, on_date
    ) AS used ON used.member_id = raw.member_id AND used.rule_id = raw.rule_id
        AND used.on_date = raw.local_date
    WINDOW same_day AS (PARTITION BY raw.member_id, raw.rule_id, raw.local_date
        ORDER BY raw.ordinal ROWS UNBOUNDED PRECEDING)"""
_MONTH_AMOUNT = (
    "LEAST(daily.month_cap, COALESCE(used.amount, 0) + sum(daily.day_amount) OVER same_month) "
    "- LEAST(daily.month_cap, "
    "COALESCE(used.amount, 0) + sum(daily.day_amount) OVER same_month - daily.day_amount)"
)
_MONTH_USED = """ LEFT JOIN (
        SELECT member_id, rule_id, date_trunc('month', on_date)::date AS month,
            sum(amount) AS amount
        FROM members_earning
        WHERE {history} AND is_capped AND wallet = '{wallet}' AND rule_id = ANY(%(capped)s)
            AND member_id IN (SELECT member_id FROM earning_order)
        GROUP BY 1, 2, 3
    ) AS used ON used.member_id = daily.member_id AND used.rule_id = daily.rule_id
        AND used.month = daily.month
    WINDOW same_month AS (PARTITION BY daily.member_id, daily.rule_id, daily.month
        ORDER BY daily.ordinal ROWS UNBOUNDED PRECEDING)"""
_GAINS = {
    TierScheme.Metric.GROWTH: (
        "UPDATE earning_order SET amount = gained.amount FROM ("
        "SELECT ordinal, sum(amount)::bigint AS amount FROM earning_work "
        "WHERE wallet = 'growth' GROUP BY ordinal) AS gained "
        "WHERE gained.ordinal = earning_order.ordinal"
    ),
    TierScheme.Metric.SPEND: "UPDATE earning_order SET amount = amount_minor",
    TierScheme.Metric.ORDERS: "UPDATE earning_order SET amount = 1",
}

# In the order of purchases, then of the rules' ages, points before growth; `slot` is below 4,096.
_POSTINGS = f"""
SELECT ordinal * 4096 + slot, (CASE wallet WHEN 'points' THEN 1 ELSE 2 END)::smallint,
    member_id, amount, {EARNING_KEY_SQL}, occurred_at, local_date,
    CASE WHEN pending_days IS NOT NULL
        THEN occurred_at + make_interval(hours => 24 * pending_days) END,
    NULL::date, 'purchase', purchase_id, jsonb_build_object('rule', rule_id)
FROM earning_work WHERE amount > 0
"""  # noqa: S608

_EARNINGS = """
INSERT INTO members_earning (purchase_id, rule_id, wallet, member_id, on_date, amount, raw, base,
    eligible_minor, tier_bp, campaign_bp, campaigns, is_capped)
SELECT purchase_id, rule_id, wallet, member_id, local_date, amount, raw, base, eligible, tier_bp,
    campaign_bp, campaigns, is_capped
FROM earning_work ORDER BY purchase_id, rule_id, wallet
"""


class Compiler:
    """Makes the statements of one import from the live rules and campaigns.

    With `alone` the purchases are all there is: caps start from nothing, as in a simulation.
    """

    work_table = _WORK
    postings = _POSTINGS
    earnings = _EARNINGS

    def __init__(
        self,
        rules: list[EarningRule],
        campaigns: list[Campaign],
        *,
        at: datetime,
        has_lines: bool,
        alone: bool = False,
    ) -> None:
        self._at = at
        self._has_lines = has_lines
        self._rules = rules
        self._campaigns = campaigns
        self._history = "FALSE" if alone else "TRUE"
        self._has_boosts = has_boosts()

    @property
    def gives_anything(self) -> bool:
        """Say whether any rule gives points or growth."""
        return bool(self._rules)

    def order_table(self, table: str, *, tier_bp: int | str) -> Statement:
        """Make the table of purchases in their order, with the campaigns that each falls in."""
        params: dict[str, Any] = {}
        columns = []
        if any(item.stores or item.channels for item in self._rules):
            columns = ["added.channel", "added.store_code"]
        for campaign in self._campaigns:
            matches = self._matches(campaign, "m", params)
            if campaign.categories:
                matches += f" AND {self._has_category(campaign, params)}"
            columns.append(f"({matches}) AS campaign_{int(campaign.pk)}")
        if self._has_boosts:
            boost = BOOST_AT_SQL.format(member="added.member_id", occurred_at="added.occurred_at")
            columns.append(f"COALESCE({boost}, 0) AS boost_bp")
        text = "".join(f",\n    {column}" for column in columns)
        return _ORDER.format(basis=tier_bp, columns=text, table=table), params

    def growth(self) -> Statement:
        """Add what the purchases give in growth."""
        return self._amounts(GROWTH)

    def points(self) -> Statement:
        """Add what the purchases give in points; the multipliers are there by then."""
        return self._amounts(POINTS)

    def gains(self, metric: str) -> Statement:
        """Note what each purchase adds to the metric of the tiers."""
        return _GAINS.get(TierScheme.Metric(metric), "SELECT 1"), {}

    def _amounts(self, wallet: str) -> Statement:
        params: dict[str, Any] = {}
        givers = [rule for rule in self._rules if wallet in wallets_of(rule)]
        if not givers:
            return "SELECT 1", {}
        has_groups = any(rule.stack_group for rule in givers)
        raw = " UNION ALL ".join(self._raw(rule, wallet, params, has_groups) for rule in givers)
        by_day = any(rule.cap_per_day is not None for rule in givers)
        by_month = any(rule.cap_per_month is not None for rule in givers)
        if by_day or by_month:
            params["capped"] = [rule.pk for rule in givers]
        used = {"wallet": wallet, "history": self._history}
        text = _AMOUNTS.format(
            raw=_CHOSEN.format(raw=raw) if has_groups else f"raw AS ({raw})",
            day_amount=_DAY_AMOUNT if by_day else "raw.raw",
            day_used=_DAY_USED.format(**used) if by_day else "",
            month_amount=_MONTH_AMOUNT if by_month else "daily.day_amount",
            month_used=_MONTH_USED.format(**used) if by_month else "",
            bps="tier_bp, campaign_bp, campaigns" if wallet == POINTS else "NULL, NULL, NULL",
        )
        return text, params

    def _raw(self, rule: EarningRule, wallet: str, params: dict[str, Any], has_groups: bool) -> str:
        eligible, lines = "added.amount_minor", ""
        matches = self._matches(rule, "r", params)
        if rule.categories:
            eligible = "matching.eligible"
            lines = self._matching_lines(rule, params)
        numerator, denominator = str(int(rule.points)), "1::numeric"
        if rule.effect == EarningRule.Effect.PER_UNIT:
            numerator = f"{eligible}::numeric * {numerator}"
            denominator = f"{int(rule.unit_minor)}::numeric"
        base = f"({numerator})::numeric, {denominator}"
        factor, makers = self._factor(rule) if wallet == POINTS else (str(BASIS), "NULL")
        if wallet == POINTS:
            numerator = f"({numerator})::numeric * added.multiplier_bp * {factor}"
            denominator = f"{denominator} * {BASIS * BASIS}"
        group = ""
        if has_groups:
            params[f"group_{rule.pk}"] = rule.stack_group
            is_best = str(rule.stacking == EarningRule.Stacking.BEST).upper()
            group = (
                f",\n    %(group_{rule.pk})s::varchar AS stack_group, {is_best} AS is_best, "
                f"{int(rule.priority)} AS priority"
            )
        slot = 2 * self._rules.index(rule) + (wallet != POINTS)
        return _RAW.format(
            slot=slot,
            rule=rule.pk,
            wallet=wallet,
            eligible=eligible,
            numerator=f"({numerator})::numeric",
            denominator=denominator,
            base=base,
            most=MAX_POINTS,
            pending=_number(rule.pending_days),
            day_cap=_number(rule.cap_per_day),
            month_cap=_number(rule.cap_per_month),
            factor=f"({factor})::int",
            makers=f"{makers}::bigint[]",
            group=group,
            lines=lines,
            matches=matches,
        )

    def _factor(self, rule: EarningRule) -> tuple[str, str]:
        """Return the campaigns' multiplier for a rule, and the array of those that made it."""
        acting = [campaign for campaign in self._campaigns if acts_on(campaign, rule)]
        if not acting and not self._has_boosts:
            return str(BASIS), "NULL"
        alone = sorted(
            (item for item in acting if item.combine == Campaign.Combine.BEST),
            key=lambda item: (-item.multiplier_bp, item.pk),
        )
        factor, makers = str(BASIS), []
        if alone:
            factor = _case((item.pk, item.multiplier_bp) for item in alone)
            makers.append(_case(((item.pk, item.pk) for item in alone), other="NULL"))
        if self._has_boosts:
            # A boost is the first of those that stand alone, and wins a tie by its key.
            best = makers.pop() if makers else "NULL"
            wins = f"added.boost_bp >= GREATEST({factor}, {BASIS + 1})"
            makers.append(f"CASE WHEN {wins} THEN {BOOST_KEY} ELSE {best} END")
            factor = f"GREATEST({factor}, added.boost_bp)"
        for item in acting:
            if item.combine == Campaign.Combine.MULTIPLY:
                by = _case([(item.pk, item.multiplier_bp)])
                factor = f"LEAST(({factor})::bigint * {by} / {BASIS}, {MAX_CAMPAIGN_BP})"
                makers.append(_case([(item.pk, item.pk)], other="NULL"))
        array = f"NULLIF(array_remove(ARRAY[{', '.join(makers)}]::bigint[], NULL), '{{}}')"
        return factor, array

    def _matching_lines(self, rule: EarningRule, params: dict[str, Any]) -> str:
        """Return a join that gives the part of a purchase that counts; no row when none does."""
        amount = (
            "LEAST(GREATEST(sum(line.amount_minor), 0), added.amount_minor)::bigint AS eligible"
        )
        having = "HAVING count(*) > 0"
        if rule.category_mode == EarningRule.CategoryMode.EXCEPT:
            amount = (
                "LEAST(GREATEST(added.amount_minor - COALESCE(sum(line.amount_minor), 0), 0), "
                "added.amount_minor)::bigint AS eligible"
            )
            having = (
                "HAVING added.amount_minor = 0 "
                "OR added.amount_minor > COALESCE(sum(line.amount_minor), 0)"
            )
        return (
            f" CROSS JOIN LATERAL (SELECT {amount} FROM members_purchaseline AS line "  # noqa: S608
            "WHERE line.purchase_id = added.purchase_id "
            f"AND line.category = ANY({self._categories(rule, 'r', params)}) "
            f"{having}) AS matching"
        )

    def _matches(self, item: EarningRule | Campaign, kind: str, params: dict[str, Any]) -> str:
        """Return when a rule or campaign holds for a purchase `added`, but for its categories."""
        parts = ["TRUE"]
        for column, sign in (("starts_at", ">="), ("ends_at", "<")):
            value = getattr(item, column)
            if value is not None:
                name = f"{kind}{column}_{item.pk}"
                params[name] = value
                parts.append(f"added.occurred_at {sign} %({name})s")
        for column, values in (("channel", item.channels), ("store_code", item.stores)):
            if values:
                name = f"{kind}{column}_{item.pk}"
                params[name] = list(values)
                parts.append(f"added.{column} = ANY(%({name})s::varchar[])")
        if item.condition:
            compiled = compile_sql(parse(item.condition), at=self._at, prefix=f"{kind}{item.pk}_")
            params |= compiled.params
            parts.append(f"added.member_id IN ({compiled.sql})")
        return " AND ".join(parts)

    def _categories(self, item: EarningRule | Campaign, kind: str, params: dict[str, Any]) -> str:
        params[f"{kind}categories_{item.pk}"] = list(item.categories)
        return f"%({kind}categories_{item.pk})s::varchar[]"

    def _has_category(self, campaign: Campaign, params: dict[str, Any]) -> str:
        return (
            "EXISTS (SELECT FROM members_purchaseline AS line "
            "WHERE line.purchase_id = added.purchase_id "
            f"AND line.category = ANY({self._categories(campaign, 'm', params)}))"
        )


def _case(pairs: Iterable[tuple[int, int]], *, other: str = str(BASIS)) -> str:
    """Return the value of the first campaign that a purchase falls in."""
    whens = " ".join(f"WHEN added.campaign_{int(key)} THEN {int(value)}" for key, value in pairs)
    return f"CASE {whens} ELSE {other} END"


def _number(value: int | None) -> str:
    return "NULL" if value is None else str(int(value))

"""The set-based statements that make a month's statements; each is safe to run again.

Parameters by name: `partners` (keys), `statements` (keys of the new ones), `month` (its first
day), `last` (its last day), `starts` and `ends` (its instants), `zone`, `currency`, `at`.

An order belongs to the first statement made after it was closed. The search goes back to shortly
before the end of the partner's last statement, so that what was committed late is found, and
costs nothing for the years before.
"""

from typing import Final

OPEN_STATEMENTS: Final = """
INSERT INTO partners_statement (
    number, partner_id, month, state, version, currency, orders, service_minor, fees_minor,
    penalties_minor, commission_minor, corrections_minor, total_minor, booked_minor,
    extra_booked_minor, prepaid_minor, commission_bp, objection_days, payment_days, computed_at,
    updated_at, sent_by, sent_by_label, approved_by, approved_by_label, paid_reference)
SELECT to_char(%(month)s::date, 'YYYYMM') || '-' || p.code, p.id, %(month)s, 'draft', 1,
       %(currency)s, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, coalesce(c.commission_bp, 0),
       coalesce(c.objection_days, 10), coalesce(c.payment_days, 30), %(at)s, %(at)s,
       '', '', '', '', ''
  FROM partners_partner p
  LEFT JOIN partners_partnercontract c
    ON c.partner_id = p.id AND c.valid_from <= %(last)s
   AND (c.valid_to IS NULL OR c.valid_to > %(last)s)
 WHERE p.id = ANY(%(partners)s)
 ORDER BY p.id
ON CONFLICT (partner_id, month) DO NOTHING
RETURNING id
"""

_SINCE: Final = """
  FROM (SELECT s.id, s.partner_id,
               coalesce((SELECT (max(e.month) + interval '1 month - 2 days')
                                AT TIME ZONE %(zone)s
                           FROM partners_statement e
                          WHERE e.partner_id = s.partner_id AND e.month < s.month),
                        '-infinity') AS since
          FROM partners_statement s WHERE s.id = ANY(%(statements)s)) s
"""

SERVICE_LINES: Final = f"""
INSERT INTO partners_statementline
       (statement_id, kind, amount_minor, order_id, benefit_id, on_date)
SELECT s.id, 'service', o.price_minor, o.id, o.benefit_id,
       (o.fulfilled_at AT TIME ZONE %(zone)s)::date
{_SINCE}
  JOIN partners_fulfilmentorder o
    ON o.partner_id = s.partner_id AND o.closed_at >= s.since AND o.closed_at < %(ends)s
 WHERE o.state = 'fulfilled'
   AND NOT EXISTS (SELECT 1 FROM partners_statementline l
                    WHERE l.order_id = o.id AND l.kind = 'service')
 ORDER BY s.id, o.closed_at, o.id
"""  # noqa: S608  (literal parts only)

CHARGE_LINES: Final = f"""
INSERT INTO partners_statementline
       (statement_id, kind, amount_minor, order_id, charge_id, benefit_id, on_date)
SELECT s.id, c.kind, c.amount_minor, c.order_id, c.id, o.benefit_id, c.on_date
{_SINCE}
  JOIN partners_ordercharge c
    ON c.partner_id = s.partner_id AND c.at >= s.since AND c.at < %(ends)s
  JOIN partners_fulfilmentorder o ON o.id = c.order_id
 WHERE NOT EXISTS (SELECT 1 FROM partners_statementline l WHERE l.charge_id = c.id)
 ORDER BY s.id, c.at, c.id
"""  # noqa: S608  (literal parts only)

MONTHLY_FEES: Final = """
INSERT INTO partners_statementline (statement_id, kind, amount_minor, on_date)
SELECT s.id, 'monthly_fee', c.monthly_fee_minor, %(last)s
  FROM partners_statement s
  JOIN partners_partner p ON p.id = s.partner_id
  JOIN partners_partnercontract c
    ON c.partner_id = p.id AND c.valid_from <= %(last)s
   AND (c.valid_to IS NULL OR c.valid_to > %(last)s)
 WHERE s.id = ANY(%(statements)s) AND c.monthly_fee_minor > 0
   AND p.activated_at < %(ends)s AND (p.ended_at IS NULL OR p.ended_at >= %(starts)s)
 ORDER BY s.id
"""

COMMISSIONS: Final = """
INSERT INTO partners_statementline (statement_id, kind, amount_minor, on_date)
SELECT s.id, 'commission', -round(l.service * s.commission_bp / 10000.0), %(last)s
  FROM partners_statement s
 CROSS JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) AS service
                       FROM partners_statementline
                      WHERE statement_id = s.id AND kind = 'service') l
 WHERE s.id = ANY(%(statements)s) AND s.commission_bp > 0 AND l.service > 0
 ORDER BY s.id
"""

# Paid for on an earlier statement, and since then found not to have been delivered: the price
# goes back, less the commission that was kept of it, and so do penalties for its lateness.
UNDONE: Final = """
INSERT INTO partners_correction (partner_id, line_id, order_id, benefit_id, amount_minor, reason,
                                 on_date, made_by, made_by_label, at, key)
SELECT p.partner_id, l.id, l.order_id, l.benefit_id,
       -l.amount_minor + round(l.amount_minor * p.commission_bp / 10000.0),
       %(undone)s, (o.closed_at AT TIME ZONE %(zone)s)::date, 'system', '', %(at)s,
       md5('order-undone:' || l.id)::uuid
  FROM partners_fulfilmentorder o
  JOIN partners_statementline l ON l.order_id = o.id AND l.kind = 'service'
  JOIN partners_statement p ON p.id = l.statement_id
 WHERE o.state = 'failed' AND o.fulfilled_at IS NOT NULL
   AND p.partner_id = ANY(%(partners)s) AND l.amount_minor > 0
   AND p.commission_bp < 10000
 ORDER BY l.id
ON CONFLICT (key) DO NOTHING
"""

CORRECTION_LINES: Final = """
INSERT INTO partners_statementline
       (statement_id, kind, amount_minor, order_id, correction_id, benefit_id, on_date)
SELECT s.id, 'correction', c.amount_minor, c.order_id, c.id, c.benefit_id, c.on_date
  FROM partners_statement s
  JOIN partners_correction c ON c.partner_id = s.partner_id
 WHERE s.id = ANY(%(statements)s)
   AND NOT EXISTS (SELECT 1 FROM partners_statementline l WHERE l.correction_id = c.id)
 ORDER BY s.id, c.id
"""

TOTALS: Final = """
UPDATE partners_statement s
   SET orders = t.orders, service_minor = t.service, booked_minor = t.service,
       fees_minor = t.fees, penalties_minor = t.penalties, commission_minor = t.commission,
       corrections_minor = t.corrections, total_minor = t.total
  FROM (SELECT statement_id,
               count(*) FILTER (WHERE kind = 'service') AS orders,
               coalesce(sum(amount_minor) FILTER (WHERE kind = 'service'), 0) AS service,
               coalesce(sum(amount_minor)
                        FILTER (WHERE kind IN ('cancel_fee', 'monthly_fee')), 0) AS fees,
               coalesce(sum(amount_minor) FILTER (WHERE kind LIKE '%%penalty'), 0) AS penalties,
               coalesce(sum(amount_minor) FILTER (WHERE kind = 'commission'), 0) AS commission,
               coalesce(sum(amount_minor) FILTER (WHERE kind = 'correction'), 0) AS corrections,
               sum(amount_minor) AS total
          FROM partners_statementline
         WHERE statement_id = ANY(%(statements)s)
         GROUP BY statement_id) t
 WHERE s.id = t.statement_id
"""

# Nothing was due to these partners.
DROP_EMPTY: Final = """
DELETE FROM partners_statement s
 WHERE s.id = ANY(%(statements)s)
   AND NOT EXISTS (SELECT 1 FROM partners_statementline l WHERE l.statement_id = s.id)
"""

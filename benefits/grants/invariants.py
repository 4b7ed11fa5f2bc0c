"""What must always hold of grants and their use (I14), and of codes handed out (I6)."""

from collections.abc import Callable

from django.db import connection

from benefits.rules.hold_out import held_out_sql

_SHOWN = 20

# Units counted on a grant against the redemptions that took them and did not give them back.
_UNITS = """
SELECT g.id, g.used, g.quantity, COALESCE(r.taken, 0)
  FROM benefits_grant g
  LEFT JOIN (SELECT grant_id, count(*) AS taken FROM benefits_redemption
              WHERE NOT unit_returned GROUP BY grant_id) r ON r.grant_id = g.id
 WHERE g.used <> COALESCE(r.taken, 0) OR g.used > g.quantity
 ORDER BY g.id LIMIT %s
"""
# Of the version in force only: a cap or share that was changed says nothing of what was granted
# before. Who stands for two members may have what two were given.
_MEMBER_CAPS = """
SELECT g.rule_id, g.member_id, sum(g.quantity), rule.cap_per_member
  FROM benefits_grant g JOIN benefits_grantrule rule ON rule.id = g.rule_id
 WHERE rule.cap_per_member IS NOT NULL AND rule.status = 'published' AND g.revoked_at IS NULL
   AND g.rule_version = rule.version
   AND NOT EXISTS (SELECT FROM members_membermerge m WHERE m.survivor_id = g.member_id)
 GROUP BY 1, 2, 4 HAVING sum(g.quantity) > rule.cap_per_member
 ORDER BY 1, 2 LIMIT %s
"""
_HELD_OUT = f"""
SELECT g.rule_id, g.member_id
  FROM benefits_grant g JOIN benefits_grantrule rule ON rule.id = g.rule_id
 WHERE rule.status = 'published' AND g.rule_version = rule.version
   AND {held_out_sql(member="g.member_id", code="rule.code", share="rule.hold_out_bp")}
   AND NOT EXISTS (SELECT FROM members_membermerge m WHERE m.survivor_id = g.member_id)
 ORDER BY 1, 2 LIMIT %s
"""  # noqa: S608
_FULFILLED = """
SELECT id, cost_minor FROM benefits_redemption
 WHERE state IN ('fulfilled', 'reversed') AND cost_minor <> COALESCE(unit_cost_minor, 0)
       + COALESCE(partner_price_minor, 0) + COALESCE(points_cost_minor, 0)
 ORDER BY id LIMIT %s
"""
_CODES = """
SELECT r.id FROM benefits_redemption r JOIN benefits_benefit b ON b.id = r.benefit_id
  LEFT JOIN benefits_poolcode c
    ON c.taken_for = 'redemption:' || r.id AND c.code = r.code
 WHERE r.channel = 'code' AND r.state IN ('fulfilled', 'reversed') AND b.code_pool_id IS NOT NULL
   AND c.id IS NULL AND EXISTS (SELECT 1 FROM benefits_poolcode p
                                 WHERE p.taken_for = 'redemption:' || r.id)
 ORDER BY r.id LIMIT %s
"""
# The keys that the database does not check.
_STRAYS = """
SELECT g.id, (SELECT count(*) FROM members_member m WHERE m.id = g.member_id),
       (SELECT count(*) FROM benefits_grantterms t
         WHERE t.id = g.terms_id AND t.benefit_id = g.benefit_id)
  FROM benefits_grant g
 WHERE NOT EXISTS (SELECT 1 FROM members_member m WHERE m.id = g.member_id)
    OR NOT EXISTS (SELECT 1 FROM benefits_grantterms t
                    WHERE t.id = g.terms_id AND t.benefit_id = g.benefit_id)
    OR (g.rule_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM benefits_ruleversion v
                         WHERE v.rule_id = g.rule_id AND v.version = g.rule_version))
 ORDER BY g.id LIMIT %s
"""


def units_within_quantity() -> list[str]:
    """I14: units used = redemptions that kept their unit, and never above those granted."""
    return [
        f"grant {grant}: used {used} of {quantity}, redemptions {taken}"
        for grant, used, quantity, taken in _rows(_UNITS)
    ]


def member_caps_hold() -> list[str]:
    """I14: no member got more units from a rule than its cap per member."""
    return [
        f"rule {rule}, member {member}: {units} units, cap {cap}"
        for rule, member, units, cap in _rows(_MEMBER_CAPS)
    ]


def held_out_get_nothing() -> list[str]:
    """Nobody whom a rule leaves out to measure against has been granted by it."""
    return [
        f"rule {rule}: member {member} is held out and was granted"
        for rule, member in _rows(_HELD_OUT)
    ]


def costs_add_up() -> list[str]:
    """The cost of each fulfilled redemption is the sum of its parts."""
    return [f"redemption {key}: cost {cost} is not its parts" for key, cost in _rows(_FULFILLED)]


def codes_belong() -> list[str]:
    """I6: the code shown by a redemption is the one the pool handed out for it."""
    return [f"redemption {key}: shows another code than it got" for (key,) in _rows(_CODES)]


def keys_lead_somewhere() -> list[str]:
    """Each grant has its member, its terms, and the version of the rule that gave it."""
    return [
        f"grant {grant}: {members} members, {terms} terms of its benefit, or no such version"
        for grant, members, terms in _rows(_STRAYS)
    ]


def _rows(sql: str) -> list[tuple[int, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, [_SHOWN])
        return list(cursor.fetchall())


CHECKS: dict[str, Callable[[], list[str]]] = {
    "I14 units used within units granted": units_within_quantity,
    "I14 caps per member hold": member_caps_hold,
    "grants: held out get nothing": held_out_get_nothing,
    "redemptions: costs add up": costs_add_up,
    "I6 codes of redemptions": codes_belong,
    "grants: keys lead somewhere": keys_lead_somewhere,
}

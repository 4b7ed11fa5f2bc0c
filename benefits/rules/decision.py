"""Whether a rule grants to one member, and why or why not. Pure.

Issuing says the same in SQL for a whole audience; a test holds the two equal over generated
rules and members. The checks stand in the order in which a refusal is told:

the member is active, meets the condition, has not got this period's already, no rival of the
exclusivity group is in the way, the member's own caps have room, the member is not held out, the
caps that all share have room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benefits.rules.caps import Cap, Used, caps_of, member_caps_of
from benefits.rules.hold_out import is_held_out, share_of
from benefits.rules.models import GrantRule
from members.segments import conditions
from members.segments.conditions.nodes import All, AnyOf, Comparison, Not

GRANTED = "granted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rival:
    """A live right of the member's from another rule of the exclusivity group."""

    rule_code: str
    priority: int
    on_lost: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One member as a rule sees it: facts, and what the rule and its rivals have given already."""

    member_id: int
    is_active: bool
    facts: conditions.Facts
    has_period: bool = False
    used: Used = field(default_factory=Used)
    rivals: Sequence[Rival] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question that was asked: its stable code, whether it was passed, and with what data."""

    code: str
    passed: bool
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome: `granted`, or the code of the first check that was not passed."""

    outcome: str
    checks: tuple[Check, ...]

    @property
    def is_granted(self) -> bool:
        """Say whether the member gets it."""
        return self.outcome == GRANTED


def decide(
    rule: GrantRule,
    *,
    condition: conditions.Condition,
    candidate: Candidate,
    used: Mapping[str, Used],
    units_each: int,
    cost_each: int,
) -> Decision:
    """Ask all questions about one member, in their order."""
    checks = [
        Check(code="member_active", passed=candidate.is_active),
        Check(
            code="condition",
            passed=conditions.evaluate(condition, candidate.facts),
            data={"parts": trace_condition(condition, candidate.facts)},
        ),
        Check(code="period_open", passed=not candidate.has_period),
    ]
    if rule.exclusivity_group:
        checks.append(_exclusive(rule, candidate.rivals))
    checks += [
        _room(cap)
        for cap in member_caps_of(
            rule, used=candidate.used, units_each=units_each, cost_each=cost_each
        )
    ]
    if rule.hold_out_bp:
        checks.append(
            Check(
                code="hold_out",
                passed=not is_held_out(
                    rule_code=rule.code,
                    member_id=candidate.member_id,
                    hold_out_bp=rule.hold_out_bp,
                ),
                data={
                    "number": share_of(rule_code=rule.code, member_id=candidate.member_id),
                    "hold_out_bp": rule.hold_out_bp,
                },
            )
        )
    checks += [
        _room(cap) for cap in caps_of(rule, used=used, units_each=units_each, cost_each=cost_each)
    ]
    failed = next((check.code for check in checks if not check.passed), None)
    return Decision(outcome=failed or GRANTED, checks=tuple(checks))


def blocks(rival: Rival, *, rule: GrantRule) -> bool:
    """Say whether a rival's live right keeps this rule from granting.

    One that may be taken back gives way to a rule of better priority (a lower number, then the
    earlier code).
    """
    if rival.on_lost == GrantRule.OnChange.KEEP:
        return True
    return (rival.priority, rival.rule_code) < (rule.priority, rule.code)


def trace_condition(
    condition: conditions.Condition, facts: conditions.Facts
) -> list[dict[str, Any]]:
    """Return each part of a condition with its depth, the member's value and whether it holds."""
    return _trace(condition, facts, 0)


def _trace(
    condition: conditions.Condition, facts: conditions.Facts, depth: int
) -> list[dict[str, Any]]:
    holds = conditions.evaluate(condition, facts)
    match condition:
        case Comparison():
            return [
                {
                    "depth": depth,
                    "tree": conditions.to_tree(condition),
                    "field": condition.field.name,
                    "value": facts[condition.field.name],
                    "holds": holds,
                }
            ]
        case Not(part):
            rows = _trace(part, facts, depth + 1)
            return [{"depth": depth, "word": "not", "holds": holds}, *rows]
        case All(parts) | AnyOf(parts):
            if len(parts) <= 1 and depth == 0:
                return [row for part in parts for row in _trace(part, facts, depth)]
            word = "all" if isinstance(condition, All) else "any"
            rows = [row for part in parts for row in _trace(part, facts, depth + 1)]
            return [{"depth": depth, "word": word, "holds": holds}, *rows]
    raise TypeError(condition)


def _exclusive(rule: GrantRule, rivals: Sequence[Rival]) -> Check:
    blocking = sorted(rival.rule_code for rival in rivals if blocks(rival, rule=rule))
    replaced = sorted(rival.rule_code for rival in rivals if not blocks(rival, rule=rule))
    return Check(
        code="exclusivity",
        passed=not blocking,
        data={"group": rule.exclusivity_group, "held": blocking, "replaces": replaced},
    )


def _room(cap: Cap) -> Check:
    return Check(
        code=cap.code,
        passed=cap.members is None or cap.members > 0,
        data={"limit": cap.limit, "used": cap.used, "each": cap.each},
    )

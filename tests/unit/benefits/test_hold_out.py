"""The hold-out: stable, near its share, only growing with it."""

from benefits.rules.hold_out import is_held_out


def held(share: int, code: str = "monthly-tea") -> set[int]:
    """Return who of the first 20,000 members is held out."""
    return {
        member
        for member in range(1, 20_001)
        if is_held_out(rule_code=code, member_id=member, hold_out_bp=share)
    }


def test_nobody_is_held_out_at_zero() -> None:
    assert held(0) == set()


def test_the_share_is_met_and_grows_only() -> None:
    ten, twenty = held(1_000), held(2_000)
    # Four standard deviations around 2,000 and 4,000.
    assert 1_830 <= len(ten) <= 2_170
    assert 3_774 <= len(twenty) <= 4_226
    assert ten < twenty


def test_another_rule_holds_out_others() -> None:
    one, other = held(1_000), held(1_000, "welcome")
    assert 120 <= len(one & other) <= 280


def test_the_decision_is_fixed_for_ever() -> None:
    # md5("monthly-tea:7") begins with b649800e, which is 3,058,270,222.
    assert not is_held_out(rule_code="monthly-tea", member_id=7, hold_out_bp=222)
    assert is_held_out(rule_code="monthly-tea", member_id=7, hold_out_bp=223)

"""Making a draw: its rules, its prizes, opening and closing it, its seeds."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from benefits.budget.models import BudgetLine
from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.models import CODE, Benefit, CodePool, PoolCode
from benefits.catalogue.stages import LIVE
from benefits.catalogue.texts import check_text
from benefits.mall.draws import fairness
from benefits.mall.draws.errors import (
    DrawCodeTakenError,
    DrawFixedError,
    DrawStateError,
    InvalidDrawError,
)
from benefits.mall.draws.models import DrawPrize, DrawSeed, LuckyDraw
from core.actors import Actor
from core.money import MAX_MINOR
from members.segments import conditions
from tenants.audit.operations import record

_Status = LuckyDraw.Status
_Kind = DrawPrize.Kind
_MAX_POINTS = 10**12
MAX_PRIZES = 30
_BOUNDS = {
    "points": (1, _MAX_POINTS),
    "per_member_limit": (1, 10**6),
    "per_day_limit": (1, 10**4),
}
_FIELDS = frozenset(
    {
        "name",
        "summary",
        "icon",
        "points",
        "per_member_limit",
        "per_day_limit",
        "condition",
        "budget_line",
        "starts_at",
        "ends_at",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PrizeDraft:
    """One prize as staff write it down; `weight` is its chances in a million."""

    kind: str
    name: Mapping[str, str]
    weight: int
    stock: int | None = None
    is_fallback: bool = False
    points: int = 0
    code_pool: CodePool | None = None
    benefit: Benefit | None = None
    benefit_validity_days: int | None = None
    unit_cost_minor: int = 0


def create_draw(
    *,
    code: str,
    name: Mapping[str, str],
    points: int,
    by: Actor,
    at: datetime,
    prizes: Sequence[PrizeDraft] = (),
    **fields: Any,
) -> LuckyDraw:
    """Make a draw, as a draft. `fields` are any of `summary, icon, per_member_limit,
    per_day_limit, condition, budget_line, starts_at, ends_at`.

    :raises InvalidDrawError: if a field is wrong; `pointer` names it.
    :raises ConditionError: if the condition is none.
    :raises DrawCodeTakenError: if another draw has the code.
    """
    try:
        CODE(code)
    except ValidationError:
        raise InvalidDrawError(
            _("A code has small letters, digits, - and _, at most 40."), pointer="/code"
        ) from None
    cleaned = _clean({"name": name, "points": points, **fields})
    with transaction.atomic():
        if LuckyDraw.objects.filter(code=code).exists():
            raise DrawCodeTakenError(draw=code)
        draw = LuckyDraw.objects.create(code=code, created_at=at, **cleaned)
        _record(draw, "created", by, at, {"code": [None, code], "points": [None, points]})
        if prizes:
            set_prizes(draw=draw, prizes=prizes, by=by, at=at)
    return draw


def update_draw(*, draw: LuckyDraw, by: Actor, at: datetime, **changes: Any) -> LuckyDraw:
    """Change the rules of a draw. Once it is open: only texts, icon, limits, budget line and end.

    :raises InvalidDrawError: if a field is wrong; `pointer` names it.
    :raises DrawFixedError: if it is open and the field is published.
    """
    with transaction.atomic():
        row = _lock(draw)
        now = {field: getattr(row, field) for field in _FIELDS}
        cleaned = _clean({**now, **changes})
        changed = {f: cleaned[f] for f in changes if cleaned[f] != now[f]}
        if row.status != _Status.DRAFT and changed.keys() & {"points", "condition", "starts_at"}:
            raise DrawFixedError(status=row.status)
        for field, value in changed.items():
            setattr(row, field, value)
        if changed:
            row.save(update_fields=[*changed])
            _record(
                row,
                "changed",
                by,
                at,
                {f: [_plain(now[f]), _plain(new)] for f, new in changed.items()},
            )
    return row


def set_prizes(
    *, draw: LuckyDraw, prizes: Sequence[PrizeDraft], by: Actor, at: datetime
) -> list[DrawPrize]:
    """Write down the prizes of a draft in their order, in place of those before.

    The sums are checked when the draw is opened.

    :raises DrawFixedError: if the draw was opened.
    :raises InvalidDrawError: if a prize is wrong; `pointer` names it.
    """
    if len(prizes) > MAX_PRIZES:
        raise InvalidDrawError(
            _("At most %(max_prizes)s prizes.") % {"max_prizes": MAX_PRIZES}, pointer="/prizes"
        )
    if sum(prize.is_fallback for prize in prizes) > 1:
        raise InvalidDrawError(_("One prize at most stands in for others."), pointer="/prizes")
    checked = [_prize(prize, f"/prizes/{place}") for place, prize in enumerate(prizes)]
    with transaction.atomic():
        row = _lock(draw)
        if row.status != _Status.DRAFT:
            raise DrawFixedError(status=row.status)
        row.prizes.all().delete()
        made = DrawPrize.objects.bulk_create(
            DrawPrize(draw=row, position=place, **facts) for place, facts in enumerate(checked)
        )
        _record(
            row,
            "prizes_set",
            by,
            at,
            {"prizes": [None, [[_plain(p.name), p.weight, p.stock] for p in made]]},
        )
    return made


def open_draw(*, draw: LuckyDraw, by: Actor, at: datetime) -> LuckyDraw:
    """Publish a draw: prizes and odds are fixed, the hash of the first seed is made known.

    A paused draw goes on with its odds.

    :raises InvalidDrawError: unless the chances add up to a million, a prize without stock stands
        in for those with one, and pools and benefits can give what is promised.
    :raises DrawStateError: if it has ended.
    """
    with transaction.atomic():
        row = _lock(draw)
        if row.status == _Status.OPEN:
            return row
        if row.status == _Status.ENDED:
            raise DrawStateError(status=row.status)
        before, row.status = row.status, _Status.OPEN
        if before == _Status.DRAFT:
            prizes = list(row.prizes.select_related("code_pool", "benefit").order_by("position"))
            check_prizes(prizes)
            row.odds_hash = digest_of(row, prizes)
            row.opened_at = at
            commit_seed(row, at=at)
        row.save(update_fields=["status", "odds_hash", "opened_at"])
        _record(row, "opened", by, at, {"status": [before, row.status], "odds": row.odds_hash})
    return row


def pause_draw(*, draw: LuckyDraw, by: Actor, at: datetime) -> LuckyDraw:
    """Take no more draws for now. :raises DrawStateError: unless it is open."""
    return _move(draw, _Status.PAUSED, {_Status.OPEN}, by=by, at=at)


def end_draw(*, draw: LuckyDraw, by: Actor, at: datetime) -> LuckyDraw:
    """Take no more draws for good and reveal the last seed.

    :raises DrawStateError: if it was never opened.
    """
    with transaction.atomic():
        row = _move(draw, _Status.ENDED, {_Status.OPEN, _Status.PAUSED}, by=by, at=at)
        DrawSeed.objects.filter(draw=row, revealed_at__isnull=True).update(revealed_at=at)
    return row


def rotate_seed(*, draw: LuckyDraw, by: Actor, at: datetime) -> DrawSeed:
    """Reveal the seed in use and commit to the next one.

    Draws under way finish with the old seed first: they hold it locked.

    :raises DrawStateError: unless the draw is open or paused.
    """
    with transaction.atomic():
        row = _lock(draw)
        if row.status not in {_Status.OPEN, _Status.PAUSED}:
            raise DrawStateError(status=row.status)
        seed = DrawSeed.objects.select_for_update().get(draw=row, revealed_at__isnull=True)
        seed.revealed_at = at
        seed.save(update_fields=["revealed_at"])
        _record(row, "seed_revealed", by, at, {"number": [None, seed.number]})
        return commit_seed(row, at=at, number=seed.number + 1)


def commit_seed(draw: LuckyDraw, *, at: datetime, number: int = 1) -> DrawSeed:
    """Make a seed and publish its hash."""
    seed = secrets.token_hex(32)
    return DrawSeed.objects.create(
        draw=draw, number=number, seed=seed, seed_hash=fairness.commitment(seed), committed_at=at
    )


def check_prizes(prizes: Sequence[DrawPrize]) -> None:
    """Refuse a table of prizes that cannot be published. :raises InvalidDrawError: saying why."""
    if not prizes:
        raise InvalidDrawError(_("A draw needs prizes."), pointer="/prizes")
    total = sum(prize.weight for prize in prizes)
    if total != fairness.SCALE:
        raise InvalidDrawError(
            _("The chances must add up to 100 %."), pointer="/prizes", total=total
        )
    limited = [p for p in prizes if p.stock is not None or p.kind in {_Kind.CODE, _Kind.BENEFIT}]
    if limited and not any(prize.is_fallback for prize in prizes):
        raise InvalidDrawError(
            _("Say which prize without stock stands in for one that has run out."),
            pointer="/prizes",
        )
    wanted: dict[int, int] = {}
    for place, prize in enumerate(prizes):
        pointer = f"/prizes/{place}"
        if prize.benefit is not None and prize.benefit.stage not in LIVE:
            raise InvalidDrawError(
                _("This benefit is not offered now."), pointer=f"{pointer}/benefit"
            )
        if prize.code_pool is not None:
            if prize.stock is None:
                raise InvalidDrawError(
                    _("Codes are limited: say how many there are to win."),
                    pointer=f"{pointer}/stock",
                )
            wanted[prize.code_pool.pk] = wanted.get(prize.code_pool.pk, 0) + prize.stock
            free = PoolCode.objects.filter(pool=prize.code_pool, taken_at__isnull=True).count()
            if free < wanted[prize.code_pool.pk]:
                raise InvalidDrawError(
                    _("The pool has fewer free codes than there are to win."),
                    pointer=f"{pointer}/stock",
                    free=free,
                )


def digest_of(draw: LuckyDraw, prizes: Sequence[DrawPrize]) -> str:
    """Return the digest of the odds as published."""
    return fairness.odds_digest(
        draw=draw.code,
        prizes=[
            {
                "kind": prize.kind,
                "points": prize.points,
                "weight": prize.weight,
                "stock": prize.stock,
                "fallback": prize.is_fallback,
            }
            for prize in prizes
        ],
    )


def _move(draw: LuckyDraw, to: str, allowed: set[_Status], *, by: Actor, at: datetime) -> LuckyDraw:
    with transaction.atomic():
        row = _lock(draw)
        if row.status == to:
            return row
        if row.status not in allowed:
            raise DrawStateError(status=row.status)
        before, row.status = row.status, to
        row.save(update_fields=["status"])
        _record(row, to, by, at, {"status": [before, to]})
    return row


def _clean(values: Mapping[str, Any]) -> dict[str, Any]:
    cleaned = dict(values)
    for field in cleaned:
        if field not in _FIELDS:
            raise InvalidDrawError(_("There is no such field."), pointer=f"/{field}")
    for field in {"name", "summary"} & cleaned.keys():
        cleaned[field] = _texts(cleaned[field], f"/{field}", required=field == "name")
    for field, (low, high) in _BOUNDS.items():
        value = cleaned.get(field)
        if value is None and field != "points":
            continue
        _whole(value, low, high, f"/{field}")
    if cleaned.get("condition"):
        cleaned["condition"] = conditions.to_tree(conditions.parse(cleaned["condition"]))
    elif "condition" in cleaned:
        cleaned["condition"] = None
    starts_at, ends_at = cleaned.get("starts_at"), cleaned.get("ends_at")
    if starts_at is not None and ends_at is not None and starts_at >= ends_at:
        raise InvalidDrawError(_("It must end after it starts."), pointer="/ends_at")
    return cleaned


def _prize(draft: PrizeDraft, pointer: str) -> dict[str, Any]:
    if draft.kind not in _Kind.values:
        raise InvalidDrawError(_("There is no such kind of prize."), pointer=f"{pointer}/kind")
    _whole(draft.weight, 1, fairness.SCALE, f"{pointer}/weight")
    if draft.stock is not None:
        _whole(draft.stock, 1, 10**6, f"{pointer}/stock")
    _whole(draft.unit_cost_minor, 0, MAX_MINOR, f"{pointer}/unit_cost_minor")
    if draft.benefit_validity_days is not None:
        _whole(draft.benefit_validity_days, 1, 3_650, f"{pointer}/benefit_validity_days")
    if draft.kind == _Kind.POINTS:
        _whole(draft.points, 1, _MAX_POINTS, f"{pointer}/points")
    elif draft.points:
        raise InvalidDrawError(_("Points belong to prizes of points."), pointer=f"{pointer}/points")
    if (draft.code_pool is not None) != (draft.kind == _Kind.CODE):
        raise InvalidDrawError(
            _("A pool belongs to prizes that are codes."), pointer=f"{pointer}/code_pool"
        )
    if (draft.benefit is not None) != (draft.kind == _Kind.BENEFIT):
        raise InvalidDrawError(
            _("A benefit belongs to prizes that grant one."), pointer=f"{pointer}/benefit"
        )
    if draft.is_fallback and (
        draft.stock is not None or draft.kind not in {_Kind.NOTHING, _Kind.POINTS}
    ):
        raise InvalidDrawError(
            _("What stands in for other prizes can have no stock."),
            pointer=f"{pointer}/is_fallback",
        )
    return {
        "kind": draft.kind,
        "name": _texts(draft.name, f"{pointer}/name", required=True),
        "weight": draft.weight,
        "stock": draft.stock,
        "is_fallback": draft.is_fallback,
        "points": draft.points,
        "code_pool": draft.code_pool,
        "benefit": draft.benefit,
        "benefit_validity_days": draft.benefit_validity_days,
        "unit_cost_minor": draft.unit_cost_minor,
    }


def _whole(value: Any, low: int, high: int, pointer: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidDrawError(
            _("A whole number from %(low)s to %(high)s is needed.") % {"low": low, "high": high},
            pointer=pointer,
        )


def _texts(value: Any, pointer: str, *, required: bool) -> dict[str, str]:
    try:
        return check_text(value, pointer=pointer, required=required)
    except InvalidBenefitError as error:
        raise InvalidDrawError(error.detail, **error.data) from error


def _lock(draw: LuckyDraw) -> LuckyDraw:
    return LuckyDraw.objects.select_for_update(of=("self",)).get(pk=draw.pk)


def _record(draw: LuckyDraw, step: str, by: Actor, at: datetime, changes: dict[str, Any]) -> None:
    record(
        by=by,
        at=at,
        action=f"lucky_draw.{step}",
        target_type="lucky_draw",
        target_id=draw.pk,
        changes=changes,
    )


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.code if isinstance(value, BudgetLine) else value

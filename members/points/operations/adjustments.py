"""Corrections by hand, and the consent of somebody else above the wallet's limit."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from members.points._calls import as_json, brand_day, check_amount, post, wallet_id
from members.points._events import tell
from members.points.by_hand import count_by_hand
from members.points.errors import (
    ConsentNeededError,
    InvalidPointsError,
    KeyReusedError,
    RequestDecidedError,
    RequestMissingError,
    SamePersonError,
)
from members.points.models import Account, AdjustmentRequest, Entry, Wallet
from members.points.values import Adjustment, Posting, Source
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record
from tenants.events.operations import emit

# What one person may adjust is counted over this time; a raised limit does not help its raiser
# for as long.
LIMIT_PERIOD = timedelta(hours=24)


def adjust(
    *,
    owner_id: int,
    amount: int,
    reason: str,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str = "points",
    expires_on: date | None = None,
) -> Posting:
    """Correct a balance by hand, up or down, with a reason; writes an audit entry.

    The wallet may set how many points one person adjusts per owner and 24 hours; the database's
    own functions hold to it, whoever calls. Event: `points.adjusted`.

    :raises ConsentNeededError: if it passes that limit: `ask_adjustment` asks somebody else.
    :raises InsufficientPointsError: if a lowering passes what is available.
    :raises InvalidPointsError: if the amount is 0 or too large, or the reason is empty.
    :raises AccountMissingError, KeyReusedError: as `earn`.
    """
    _check_reason(reason)
    check_amount(abs(amount) if type(amount) is int else amount)
    person = person_behind(by)
    with transaction.atomic():
        limit = _limit_of(wallet=wallet, person=person, at=at) if by.kind != "system" else None
        if limit is not None:
            _check_limit(owner_id, wallet, amount, limit, person, key, at)
        return _post(
            owner_id=owner_id,
            amount=amount,
            reason=reason,
            key=key,
            by=by,
            at=at,
            wallet=wallet,
            expires_on=expires_on,
            cause={"reason": reason, "by": by.key, "person": person},
            source_id=by.id,
        )


def check_by_hand(
    *,
    owner_id: int,
    amount: int,
    by: Actor,
    at: datetime,
    wallet: str = "points",
    is_counted: bool = False,
) -> None:
    """Pass if a person may give an owner these points by hand, as `adjust` would let them.

    For what becomes points in another way than an adjustment; see `members.points.by_hand` for
    how it is counted from then on. Holds the account, so needs the transaction in which it is
    given. `is_counted`: it is written down already, as part of that count.

    :raises ConsentNeededError: if it passes the limit: an adjustment can ask somebody else.
    """
    person = person_behind(by)
    limit = _limit_of(wallet=wallet, person=person, at=at) if by.kind != "system" else None
    if limit is not None:
        counted = amount if is_counted else 0
        _check_limit(owner_id, wallet, amount, limit, person, None, at, counted=counted)


def ask_adjustment(
    *,
    owner_id: int,
    amount: int,
    reason: str,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str = "points",
    expires_on: date | None = None,
) -> Adjustment:
    """Adjust at once within the limit of `by`; above it, ask for the consent of somebody else.

    The same key again gives the same answer. Event of a request: `points.adjustment_asked`.

    :raises InsufficientPointsError, InvalidPointsError, AccountMissingError, KeyReusedError: as
        `adjust`.
    """
    try:
        posting = adjust(
            owner_id=owner_id,
            amount=amount,
            reason=reason,
            key=key,
            by=by,
            at=at,
            wallet=wallet,
            expires_on=expires_on,
        )
    except ConsentNeededError as error:
        limit = int(error.data["limit"])
    else:
        return Adjustment(posting, AdjustmentRequest.objects.filter(key=key).first())
    wallet_key = wallet_id(wallet)
    with transaction.atomic():
        found, created = AdjustmentRequest.objects.get_or_create(
            key=key,
            defaults={
                "wallet_id": wallet_key,
                "owner_id": owner_id,
                "amount": amount,
                "reason": reason,
                "expires_on": expires_on,
                "limit": limit,
                "asked_by": by.key,
                "asked_person": person_behind(by),
                "asked_name": by.label[:120],
                "asked_at": at,
            },
        )
        if (found.wallet_id, found.owner_id, found.amount) != (wallet_key, owner_id, amount):
            raise KeyReusedError
        if created:
            _note("points.adjustment_asked", found, by, at, reason)
            emit(
                type="points.adjustment_asked",
                subject=f"member:{owner_id}",
                data={"request": found.pk, "wallet": wallet, "points": amount},
                at=at,
            )
    return Adjustment(None, found)


def approve_adjustment(*, request_id: int, note: str = "", by: Actor, at: datetime) -> Posting:
    """Consent to a request of somebody else and post it, in one transaction.

    :raises RequestMissingError, RequestDecidedError: if it does not wait for consent.
    :raises SamePersonError: for who asked, also by a key that they made.
    :raises InsufficientPointsError: if a lowering passes what is available by now; then the
        request still waits.
    """
    with transaction.atomic():
        found = _decide(request_id, AdjustmentRequest.State.APPROVED, note, by, at)
        return _post(
            owner_id=found.owner_id,
            amount=found.amount,
            reason=found.reason,
            key=found.key,
            by=by,
            at=at,
            wallet=found.wallet.code,
            expires_on=found.expires_on,
            cause={
                "reason": found.reason,
                "by": found.asked_by,
                "person": found.asked_person,
                "request": found.pk,
                "approved_by": by.key,
            },
            source_id=_id_of(found.asked_by),
        )


def refuse_adjustment(*, request_id: int, note: str, by: Actor, at: datetime) -> AdjustmentRequest:
    """Refuse a request of somebody else, with a reason.

    :raises RequestMissingError, RequestDecidedError, SamePersonError: as `approve_adjustment`.
    :raises InvalidPointsError: if the reason is empty.
    """
    if not note.strip():
        raise InvalidPointsError(_("A reason is needed."), pointer="/note")
    with transaction.atomic():
        return _decide(request_id, AdjustmentRequest.State.REFUSED, note, by, at)


def withdraw_adjustment(*, request_id: int, by: Actor, at: datetime) -> AdjustmentRequest:
    """Take a request back; who asked may do that.

    :raises RequestMissingError, RequestDecidedError: as `approve_adjustment`.
    :raises SamePersonError: if somebody else asked.
    """
    with transaction.atomic():
        return _decide(request_id, AdjustmentRequest.State.WITHDRAWN, "", by, at)


def person_behind(by: Actor) -> str:
    """Return who stands behind an actor, such as `staff:3`: for an API key, who made it."""
    if by.kind == "api" and by.id is not None:
        made = AuditEntry.objects.filter(
            target_type="api_key", target_id=str(by.id), action="api_key.created"
        ).first()
        if made is not None and made.actor_kind in {"staff", "operator"}:
            return f"{made.actor_kind}:{made.actor_id}"
    return by.key


def _post(
    *,
    owner_id: int,
    amount: int,
    reason: str,
    key: UUID,
    by: Actor,
    at: datetime,
    wallet: str,
    expires_on: date | None,
    cause: dict[str, Any],
    source_id: int | None,
) -> Posting:
    common = (
        Entry.Kind.ADJUST.value, wallet_id(wallet), owner_id, abs(amount), key, at, brand_day(at),
        "adjustment", source_id, as_json(cause),
    )  # fmt: skip
    if amount > 0:
        posting = post("points_earn", *common, at, expires_on)
    else:
        posting = post("points_spend", *common, None)
    if not posting.replayed:
        record(
            by=by,
            at=at,
            action="points.adjusted",
            target_type="points_account",
            target_id=posting.account_id,
            changes={"balance": [posting.balance - posting.delta, posting.balance]},
            reason=reason,
        )
    tell("points.adjusted", posting, amount, at, Source("adjustment", source_id or 0))
    return posting


def _limit_of(*, wallet: str, person: str, at: datetime) -> int | None:
    """Return the limit that holds for a person: one that they raised does not help them yet."""
    limit = Wallet.objects.values_list("adjust_limit", flat=True).get(id=wallet_id(wallet))
    kind, _separator, number = person.partition(":")
    if not number.isdigit():
        return limit
    raised = AuditEntry.objects.filter(
        target_type="wallet",
        target_id=wallet,
        action="wallet.changed",
        actor_kind=kind,
        actor_id=int(number),
        at__gt=at - LIMIT_PERIOD,
        changes__has_key="adjust_limit",
    ).values_list("changes", flat=True)
    before = [change["adjust_limit"][0] for change in raised]
    limits = [one for one in (limit, *before) if one is not None]
    return min(limits) if limits else None


def _check_limit(
    owner_id: int,
    wallet: str,
    amount: int,
    limit: int,
    person: str,
    key: UUID | None,
    at: datetime,
    *,
    counted: int = 0,
) -> None:
    """Refuse what passes the limit, under the account's lock; a posting's own key is a replay."""
    account = (
        Account.objects.select_for_update()
        .filter(owner_id=owner_id, wallet_id=wallet_id(wallet))
        .values_list("id", flat=True)
        .first()
    )
    if account is None or (key is not None and Entry.objects.filter(key=key).exists()):
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT points_adjusted_by(%s, %s, %s)", [account, person, at])
        (done,) = cursor.fetchone()
    if wallet == "points":
        since = at - LIMIT_PERIOD
        done += count_by_hand(owner_id=owner_id, person=person, since=since) - counted
    if abs(amount) > limit - done:
        raise ConsentNeededError(limit=limit, left=max(limit - done, 0))


def _decide(
    request_id: int, state: AdjustmentRequest.State, note: str, by: Actor, at: datetime
) -> AdjustmentRequest:
    found = (
        AdjustmentRequest.objects.select_for_update(of=("self",))
        .select_related("wallet")
        .filter(pk=request_id)
        .first()
    )
    if found is None:
        raise RequestMissingError(request=request_id)
    if found.state != AdjustmentRequest.State.PENDING:
        raise RequestDecidedError(state=found.state)
    person = person_behind(by)
    own = person == found.asked_person
    if own != (state == AdjustmentRequest.State.WITHDRAWN):
        if own:
            raise SamePersonError
        raise SamePersonError(_("Only who asked can take it back."))
    found.state, found.note = state, note.strip()[:300]
    found.decided_by, found.decided_person, found.decided_at = by.key, person, at
    found.decided_name = by.label[:120]
    found.save(
        update_fields=[
            "state", "note", "decided_by", "decided_person", "decided_name", "decided_at",
        ]
    )  # fmt: skip
    _note(f"points.adjustment_{state.value}", found, by, at, note)
    return found


def _note(action: str, request: AdjustmentRequest, by: Actor, at: datetime, reason: str) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="adjustment_request",
        target_id=request.pk,
        changes={"points": [None, request.amount], "member_id": [None, request.owner_id]},
        reason=reason,
    )


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidPointsError(_("A reason is needed."), pointer="/reason")


def _id_of(actor: str) -> int | None:
    _kind, _separator, number = actor.partition(":")
    return int(number) if number.isdigit() else None

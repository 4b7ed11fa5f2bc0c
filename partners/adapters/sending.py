"""Making the calls that are due: many at a time, each outside any transaction.

A call is claimed by pushing its due time ahead and counting the try; what came of it is noted,
together with its effect on the order, only while no other try has begun. A sender that dies in
between leaves a call that is tried again, with the same key.
"""

import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import connection as database
from django.db import transaction
from django.db.models import F

from benefits.catalogue.texts import localized
from core.actors import SYSTEM
from core.errors import DomainError
from partners.adapters.following import decline, explain, follow
from partners.adapters.kinds import get_kind
from partners.adapters.models import Connection, PartnerCall
from partners.adapters.operations import disable_connection, open_call
from partners.adapters.protocol import Adapter
from partners.adapters.values import Action, Answer, OrderFacts, Verdict
from partners.orders.errors import InvalidStateError
from partners.orders.models import FulfilmentOrder, OrderOffer
from tenants.brands.context import current_brand

logger = structlog.get_logger(__name__)

_State = PartnerCall.State
_AT_ONCE = 16
_PER_CONNECTION = 4
# One pass claims for so long; the rest is for the next.
PASS_SECONDS = 30.0
# Longer than a pass and its last try, which may ask first and then send: nobody else takes what
# is claimed, or two tries of one request would be on their way at once.
CLAIM = timedelta(seconds=120)
_PAUSES = (5, 15, 60, 300, 900)  # seconds until the next try
_MAX_CANCELS = 10
_FAILURES = 3
_LONGEST_PAUSE = 600
_SOON = timedelta(minutes=2)
_PROPER = frozenset(Verdict) - {Verdict.UNCLEAR, Verdict.RETRY}

_CLAIMED = """
UPDATE partners_partnercall SET attempts = attempts + 1, due_at = %(until)s
 WHERE id IN (
    SELECT c.id FROM partners_partnercall c WHERE c.state = 'pending' AND c.due_at <= %(at)s
       AND c.id = ANY(%(wanted)s) ORDER BY c.id FOR UPDATE)
RETURNING id
"""
_DUE = """
SELECT id FROM (
    SELECT c.id, c.due_at, row_number() OVER
           (PARTITION BY c.connection_id ORDER BY c.due_at, c.id) AS place
      FROM partners_partnercall c
      JOIN partners_connection n ON n.id = c.connection_id
     WHERE c.state = 'pending' AND c.due_at <= %(at)s AND n.is_enabled
       AND c.connection_id <> ALL(%(busy)s::bigint[])
       AND (n.resumes_at IS NULL OR n.resumes_at <= %(at)s)) due
 WHERE place <= %(share)s ORDER BY due_at, id LIMIT %(limit)s
"""


def make_calls(*, at: datetime, limit: int = 1000) -> int:
    """Make the due calls of the brand; return how many. Call it outside any transaction.

    A connection that fails three times in a row is left alone for a while, so that it holds up
    nobody else.
    """
    made, until = 0, time.monotonic() + PASS_SECONDS
    running: dict[Future[Answer], PartnerCall] = {}
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="partner-call") as pool:
        while True:
            room = min(_AT_ONCE - len(running), limit - made)
            room = room if time.monotonic() < until else 0
            for call in _claim(at, room, running.values()):
                future = pool.submit(_try, call, _adapter(call.connection), _facts(call, at))
                running[future] = call
                made += 1
            if not running:
                return made
            done, _rest = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                _note(running.pop(future), future.result(), at)


def _try(call: PartnerCall, adapter: Adapter, facts: OrderFacts) -> Answer:
    """Make one call; runs in a thread and touches no database."""
    match call.action:
        case Action.CANCEL:
            return adapter.cancel(facts)
        case Action.STATUS:
            return adapter.status(facts)
    if call.is_unclear and call.connection.settings.get("repeat") == "ask":
        known = adapter.status(facts)
        if known.verdict != Verdict.NOT_FOUND:
            return known
    return adapter.request(facts)


def _claim(at: datetime, limit: int, running: Iterable[PartnerCall]) -> list[PartnerCall]:
    load = Counter(call.connection_id for call in running)
    busy = [key for key, calls in load.items() if calls >= _PER_CONNECTION]
    if limit <= 0:
        return []
    with database.cursor() as cursor:
        facts: dict[str, Any] = {"at": at, "share": _PER_CONNECTION, "limit": limit, "busy": busy}
        cursor.execute(_DUE, facts)
        wanted = [row[0] for row in cursor.fetchall()]
        if not wanted:
            return []
        cursor.execute(_CLAIMED, {"at": at, "until": at + CLAIM, "wanted": wanted})
        claimed = [row[0] for row in cursor.fetchall()]
    found = PartnerCall.objects.select_related("connection", "order__benefit")
    return list(found.filter(pk__in=claimed).order_by("pk"))


def _adapter(connection: Connection) -> Adapter:
    return get_kind(connection.adapter).build(connection.settings, secret=connection.secret)


def _facts(call: PartnerCall, at: datetime) -> OrderFacts:
    order, brand = call.order, current_brand()
    offer = OrderOffer.objects.get(order_id=order.pk, number=call.offer_number)
    return OrderFacts(
        number=order.number,
        key=str(call.key),
        sent_at=at,
        benefit=order.benefit.code,
        benefit_name=localized(order.benefit.name, brand.locale),
        region=order.region,
        wanted_at=order.wanted_at,
        service_on=offer.service_on,
        price_minor=offer.price_minor,
        currency=brand.currency,
        reference=call.reference,
    )


def _note(call: PartnerCall, answer: Answer, at: datetime) -> None:
    """Note what came of a try, and let it have its effect, unless another has begun."""
    with transaction.atomic():
        mine = (
            PartnerCall.objects.select_for_update()
            .filter(pk=call.pk, attempts=call.attempts, state=_State.PENDING)
            .first()
        )
        _note_health(call.connection, answer, at)
        if mine is None:
            return
        mine.connection, mine.order = call.connection, call.order
        mine.last_status, mine.last_error = answer.status, answer.error[:300]
        mine.verdict = answer.verdict
        mine.reference = answer.reference or mine.reference
        _EFFECTS[PartnerCall.Action(mine.action)](mine, answer, at)
        mine.save()
    logger.info(
        "partner_called",
        call=call.pk,
        action=call.action,
        attempts=call.attempts,
        verdict=answer.verdict,
        status=answer.status,
        error=answer.error,
    )


def _after_request(call: PartnerCall, answer: Answer, at: datetime) -> None:
    settings, partner_id = call.connection.settings, call.connection.partner_id
    order = FulfilmentOrder.objects.get(pk=call.order_id)
    match answer.verdict:
        case Verdict.RETRY | Verdict.NOT_FOUND:
            _again(call, answer, at)
        case Verdict.UNCLEAR if settings.get("repeat") != "never":
            call.is_unclear = True
            _again(call, answer, at)
        case Verdict.UNCLEAR | Verdict.REFUSED | Verdict.GONE:
            _close(call, at)
            decline(order=order, partner_id=partner_id, reason=answer.error, at=at)
            if answer.verdict == Verdict.UNCLEAR:
                _cancel_it(call, at)
        case _:
            _close(call, at)
            try:
                with transaction.atomic():
                    more = follow(
                        order=order,
                        partner_id=partner_id,
                        answer=answer,
                        proof=settings.get("proof", "code"),
                        at=at,
                    )
            except InvalidStateError as refusal:
                # The offer was over before the partner took it: it must not come.
                call.last_error = explain(refusal)
                _cancel_it(call, at)
            except DomainError as refusal:
                call.last_error = explain(refusal)
                _ask_later(call, answer, at)
            else:
                if more:
                    _ask_later(call, answer, at)


def _after_status(call: PartnerCall, answer: Answer, at: datetime) -> None:
    settings = call.connection.settings
    if answer.verdict in {Verdict.UNCLEAR, Verdict.RETRY}:
        _again(call, answer, at)
        return
    call.due_at = at + timedelta(minutes=settings.get("poll_minutes", 15))
    if answer.verdict in {Verdict.NOT_FOUND, Verdict.REFUSED}:
        return
    if answer.verdict == Verdict.GONE:
        _close(call, at, state=_State.GIVEN_UP)
        return
    order = FulfilmentOrder.objects.get(pk=call.order_id)
    try:
        with transaction.atomic():
            more = follow(
                order=order,
                partner_id=call.connection.partner_id,
                answer=answer,
                proof=settings.get("proof", "code"),
                at=at,
            )
    except DomainError as refusal:
        call.last_error = explain(refusal)
    else:
        if not more:
            _close(call, at)


def _after_cancel(call: PartnerCall, answer: Answer, at: datetime) -> None:
    if answer.verdict in {Verdict.CANCELLED, Verdict.PENDING, Verdict.NOT_FOUND}:
        _close(call, at)
    elif answer.verdict in {Verdict.UNCLEAR, Verdict.RETRY} and call.attempts < _MAX_CANCELS:
        _again(call, answer, at)
    else:
        _close(call, at, state=_State.GIVEN_UP)


_EFFECTS = {
    PartnerCall.Action.REQUEST: _after_request,
    PartnerCall.Action.STATUS: _after_status,
    PartnerCall.Action.CANCEL: _after_cancel,
}


def _close(call: PartnerCall, at: datetime, *, state: str = _State.DONE) -> None:
    call.state, call.closed_at = state, at


def _again(call: PartnerCall, answer: Answer, at: datetime) -> None:
    pause = _PAUSES[min(call.attempts, len(_PAUSES)) - 1]
    call.due_at = at + timedelta(seconds=max(pause, answer.retry_after))


def _cancel_it(call: PartnerCall, at: datetime) -> None:
    """Tell a partner that may have taken the order that it is not wanted."""
    open_call(
        connection=call.connection,
        offer=_offer_of(call),
        action=PartnerCall.Action.CANCEL,
        reference=call.reference,
        due_at=at,
    )


def _ask_later(call: PartnerCall, answer: Answer, at: datetime) -> None:
    if _adapter(call.connection).can_ask:
        pause = timedelta(minutes=call.connection.settings.get("poll_minutes", 15))
        is_open = answer.verdict == Verdict.PENDING
        open_call(
            connection=call.connection,
            offer=_offer_of(call),
            action=PartnerCall.Action.STATUS,
            reference=call.reference,
            due_at=at + (min(pause, _SOON) if is_open else pause),
        )


def _offer_of(call: PartnerCall) -> OrderOffer:
    return OrderOffer.objects.get(order_id=call.order_id, number=call.offer_number)


def _note_health(connection: Connection, answer: Answer, at: datetime) -> None:
    """Count failures in a row, open and close the circuit, switch off what is gone."""
    mine = Connection.objects.filter(pk=connection.pk)
    if answer.verdict == Verdict.GONE:
        disable_connection(connection=connection, reason="answered 410 Gone", by=SYSTEM, at=at)
    elif answer.verdict in _PROPER:
        mine.exclude(failures=0, resumes_at=None).update(failures=0, resumes_at=None)
    elif answer.verdict == Verdict.RETRY and answer.retry_after:
        mine.update(resumes_at=at + timedelta(seconds=answer.retry_after))
    else:
        mine.update(failures=F("failures") + 1)
        failures = mine.values_list("failures", flat=True).get()
        if failures >= _FAILURES:
            pause = min(30 * 2 ** min(failures - _FAILURES, 5), _LONGEST_PAUSE)
            mine.update(resumes_at=at + timedelta(seconds=pause))


def stop_calls(*, calls: Iterable[PartnerCall], offer: OrderOffer, at: datetime) -> None:
    """End what is still said and asked about an offer that is over.

    A partner that was asked, and has not refused, is told that the order is not wanted: after
    any try that is still on its way.
    """
    for call in calls:
        if call.state == _State.PENDING:
            PartnerCall.objects.filter(pk=call.pk, state=_State.PENDING).update(
                state=_State.DROPPED, closed_at=at
            )
        if call.action == PartnerCall.Action.REQUEST and call.attempts and not _was_refused(call):
            is_on_its_way = call.state == _State.PENDING
            open_call(
                connection=call.connection,
                offer=offer,
                action=PartnerCall.Action.CANCEL,
                reference=call.reference,
                due_at=max(at, call.due_at) if is_on_its_way else at,
            )


def _was_refused(call: PartnerCall) -> bool:
    return call.state == _State.DONE and call.verdict in {
        Verdict.DECLINED,
        Verdict.REFUSED,
        Verdict.FAILED,
        Verdict.CANCELLED,
        Verdict.GONE,
    }

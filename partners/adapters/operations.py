"""Connections: set up, switched off and on; and a partner's word that an order has changed."""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from standardwebhooks import Webhook, WebhookVerificationError

from core.actors import SYSTEM, Actor
from core.ids import derived_uuid, signing_secret
from partners.adapters.errors import (
    ConnectionDisabledError,
    ConnectionNotFoundError,
    InvalidConnectionError,
    InvalidSignatureError,
)
from partners.adapters.kinds import get_kind
from partners.adapters.models import Connection, PartnerCall
from partners.orders.errors import OrderNotFoundError
from partners.orders.models import OrderOffer
from partners.pool.models import Partner
from tenants.audit.operations import record
from tenants.events.operations import emit
from tenants.jobs.operations import enqueue

JOB = "partners.calls"
_MAX_SECRET = 2000
_SIGNING_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{32,100}={0,2}")
# A callback makes us ask; more often than this it changes nothing.
_NUDGE_PAUSE = timedelta(seconds=5)
_State = PartnerCall.State


def set_connection(
    *,
    partner: Partner,
    settings: Mapping[str, Any],
    secret: str | None = None,
    adapter: str = "http",
    by: Actor,
    at: datetime,
) -> Connection:
    """Say how the partner's own system is called; without `secret` the one on file stays.

    :raises InvalidConnectionError: naming the setting that is wrong.
    """
    checked = get_kind(adapter).check(settings)
    if secret is not None and len(secret) > _MAX_SECRET:
        raise InvalidConnectionError(_("The secret is too long."), pointer="/secret")
    with transaction.atomic():
        found = Connection.objects.select_for_update().filter(partner=partner).first()
        before = {"adapter": found.adapter, "settings": found.settings} if found else {}
        made = found or Connection(partner=partner, callback_secret=signing_secret())
        made.adapter, made.settings, made.updated_at = adapter, checked, at
        made.failures, made.resumes_at = 0, None
        if secret is not None:
            made.secret = secret
        _check_secret(made)
        made.save()
        after = {"adapter": adapter, "settings": checked}
        changes: dict[str, Any] = {
            name: [before.get(name), value]
            for name, value in after.items()
            if before.get(name) != value
        }
        if secret is not None:
            changes["secret"] = ["•••", "•••"]
        _audit("partner_connection.set", made, by=by, at=at, changes=changes)
    return made


def disable_connection(*, connection: Connection, reason: str, by: Actor, at: datetime) -> None:
    """Call the partner's system no more; its orders go on by API and workspace. Twice is once."""
    with transaction.atomic():
        done = Connection.objects.filter(pk=connection.pk, is_enabled=True).update(
            is_enabled=False, disabled_reason=reason[:200] or "-", updated_at=at
        )
        if done:
            emit(
                type="partner_connection.disabled",
                subject=f"partner:{connection.partner_id}",
                data={"partner_id": connection.partner_id, "reason": reason[:200]},
                at=at,
            )
            _audit("partner_connection.disabled", connection, by=by, at=at, reason=reason)
    connection.refresh_from_db()


def enable_connection(*, connection: Connection, by: Actor, at: datetime) -> None:
    """Call the partner's system again. Twice is once."""
    with transaction.atomic():
        done = Connection.objects.filter(pk=connection.pk, is_enabled=False).update(
            is_enabled=True, disabled_reason="", failures=0, resumes_at=None, updated_at=at
        )
        if done:
            _audit("partner_connection.enabled", connection, by=by, at=at)
            wake(at=at)
    connection.refresh_from_db()


def rotate_callback_secret(*, connection: Connection, by: Actor, at: datetime) -> str:
    """Return a new secret for callbacks; the old one opens nothing from now on."""
    secret = signing_secret()
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(callback_secret=secret, updated_at=at)
        _audit("partner_connection.rotated", connection, by=by, at=at)
    connection.refresh_from_db()
    return secret


def hear_callback(
    *, partner_code: str, body: bytes, headers: Mapping[str, str], at: datetime
) -> PartnerCall | None:
    """Take a partner's word that one of its orders has changed, and ask how it stands.

    The callback is only a nudge: what it says of the state is not believed, so that one that is
    forged, old, doubled or out of order does no harm. Return the question that is now due, or
    None when the order is closed.

    :raises InvalidSignatureError: if it is not signed by Standard Webhooks, more than five
        minutes off, or of a partner without a connection.
    :raises ConnectionDisabledError: if the connection is switched off.
    :raises ConnectionNotFoundError: if it has no way to ask for the status.
    :raises InvalidConnectionError: if the body names no order.
    :raises OrderNotFoundError: if the order was never offered to this partner.
    """
    found = Connection.objects.select_related("partner").filter(partner__code=partner_code).first()
    if found is None:
        raise InvalidSignatureError
    try:
        Webhook(found.callback_secret).verify(body, {k.lower(): v for k, v in headers.items()})
    except WebhookVerificationError:
        raise InvalidSignatureError from None
    if not found.is_enabled:
        raise ConnectionDisabledError
    if not get_kind(found.adapter).build(found.settings, secret=found.secret).can_ask:
        raise ConnectionNotFoundError
    offer = (
        OrderOffer.objects.filter(order__number=_order_number(body), partner=found.partner)
        .order_by("-number")
        .first()
    )
    if offer is None:
        raise OrderNotFoundError
    return _ask_soon(found, offer, at=at)


def open_call(
    *, connection: Connection, offer: OrderOffer, action: str, reference: str = "", due_at: datetime
) -> PartnerCall:
    """Make the call of an action for an offer, or return the one that is."""
    made, _created = PartnerCall.objects.get_or_create(
        order_id=offer.order_id,
        offer_number=offer.number,
        action=action,
        defaults={
            "connection": connection,
            "key": derived_uuid("partner-call", offer.order_id, offer.number, action),
            "reference": reference,
            "due_at": due_at,
            "created_at": due_at,
        },
    )
    return made


def wake(*, at: datetime) -> None:
    """Let a worker make the calls that are due, after the commit."""
    enqueue(kind=JOB, dedupe_key=f"at:{at.isoformat()}", by=SYSTEM, at=at)


def _ask_soon(connection: Connection, offer: OrderOffer, *, at: datetime) -> PartnerCall | None:
    with transaction.atomic():
        call = open_call(
            connection=connection, offer=offer, action=PartnerCall.Action.STATUS, due_at=at
        )
        if call.state != _State.PENDING:
            return None
        # A question on its way now was perhaps answered before the change: ask again after it.
        PartnerCall.objects.filter(pk=call.pk, due_at__gt=at + _NUDGE_PAUSE).update(
            due_at=at + _NUDGE_PAUSE if call.attempts else at
        )
        wake(at=at)
    call.refresh_from_db()
    return call


def _order_number(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        raise InvalidConnectionError(_("The body is not JSON."), pointer="") from None
    number = found.get("order") if isinstance(found, dict) else None
    if not isinstance(number, str):
        raise InvalidConnectionError(_("Name the order."), pointer="/order")
    return number


def _check_secret(connection: Connection) -> None:
    kind = connection.settings.get("auth", {}).get("kind", "none")
    if kind != "none" and not connection.secret:
        raise InvalidConnectionError(_("This way of signing in needs a secret."), pointer="/secret")
    if kind == "signature" and not _SIGNING_SECRET.fullmatch(connection.secret):
        raise InvalidConnectionError(
            _("A secret for signatures begins with whsec_."), pointer="/secret"
        )


def _audit(action: str, connection: Connection, *, by: Actor, at: datetime, **facts: Any) -> None:
    record(
        by=by,
        at=at,
        action=action,
        target_type="partner",
        target_id=str(connection.partner_id),
        **facts,
    )

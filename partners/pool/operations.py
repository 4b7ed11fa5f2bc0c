"""Partners, their offerings, prices and capacity."""

import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.utils.translation import gettext as _

from benefits.catalogue.models import Benefit
from core.actors import Actor
from core.clock import local_date
from core.money import MAX_MINOR
from partners.pool.errors import (
    CapacityBelowReservedError,
    InvalidOfferingError,
    InvalidPartnerError,
    NoCapacityError,
    PartnerCodeTakenError,
    PartnerStatusError,
    PastDayError,
    PastPriceError,
)
from partners.pool.models import REGION_LENGTH, CapacityDay, Offering, OfferingPrice, Partner
from partners.pool.regions import normalise
from tenants.accounts import keys
from tenants.accounts.models import ApiKey
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit

_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_MAX_CAPACITY = 1_000_000
_MAX_HOURS = 24 * 365


def invite_partner(
    *,
    code: str,
    name: str,
    contact_name: str = "",
    contact_email: str = "",
    contact_phone: str = "",
    by: Actor,
    at: datetime,
) -> Partner:
    """Add a partner to the pool; it is offered nothing before `activate_partner`.

    :raises InvalidPartnerError: for a code, name or address that can not be.
    :raises PartnerCodeTakenError: if the code is in use.
    """
    if not _CODE.fullmatch(code):
        raise InvalidPartnerError(
            _("A code has up to 40 small letters, digits and hyphens."), pointer="/code"
        )
    fields = _contact(name, contact_name, contact_email, contact_phone)
    with transaction.atomic():
        try:
            with transaction.atomic():
                partner = Partner.objects.create(code=code, invited_at=at, **fields)
        except IntegrityError:
            raise PartnerCodeTakenError(code=code) from None
        _note(partner, "invited", [None, Partner.Status.INVITED], by=by, at=at)
    return partner


def update_partner(
    *,
    partner: Partner,
    name: str,
    contact_name: str = "",
    contact_email: str = "",
    contact_phone: str = "",
    by: Actor,
    at: datetime,
) -> Partner:
    """Change a partner's name and contact.

    :raises InvalidPartnerError: for a name or address that can not be.
    """
    fields = _contact(name, contact_name, contact_email, contact_phone)
    changed = {key: value for key, value in fields.items() if getattr(partner, key) != value}
    if not changed:
        return partner
    with transaction.atomic():
        Partner.objects.filter(pk=partner.pk).update(**changed)
        # The contact is a person: the audit says that it changed, not what it was.
        record(
            by=by,
            at=at,
            action="partner.updated",
            target_type="partner",
            target_id=partner.pk,
            changes={"name": [partner.name, name.strip()]} if "name" in changed else {},
            reason=", ".join(sorted(changed)),
        )
    partner.refresh_from_db()
    return partner


def open_sandbox(*, partner: Partner, by: Actor, at: datetime) -> Partner:
    """Let an invited partner try the API; it is still offered no order.

    :raises PartnerStatusError: unless it is invited.
    """
    return _move(partner, {Partner.Status.INVITED}, Partner.Status.SANDBOX, "", by, at)


def activate_partner(*, partner: Partner, by: Actor, at: datetime) -> Partner:
    """Let a partner be offered orders from now on.

    :raises PartnerStatusError: if it has ended.
    """
    return _move(
        partner,
        {Partner.Status.INVITED, Partner.Status.SANDBOX, Partner.Status.PAUSED},
        Partner.Status.ACTIVE,
        "",
        by,
        at,
    )


def pause_partner(*, partner: Partner, reason: str, by: Actor, at: datetime) -> Partner:
    """Offer the partner nothing new; what it has accepted stays with it.

    :raises PartnerStatusError: unless it is active.
    """
    return _move(partner, {Partner.Status.ACTIVE}, Partner.Status.PAUSED, reason, by, at)


def end_partner(*, partner: Partner, reason: str, by: Actor, at: datetime) -> Partner:
    """End the work with a partner for good: no new orders, all its keys revoked.

    What it has accepted stays with it until staff give it to another.
    """
    states = set(Partner.Status) - {Partner.Status.ENDED}
    with transaction.atomic():
        _move(partner, states, Partner.Status.ENDED, reason, by, at)
        for key in ApiKey.objects.filter(
            kind=ApiKey.Kind.PARTNER, owner_id=partner.pk, revoked_at__isnull=True
        ).order_by("pk"):
            keys.revoke(key=key, by=by, at=at)
    return partner


def create_key(
    *,
    partner: Partner,
    name: str,
    is_live: bool = True,
    scopes: Sequence[str] = ("*",),
    expires_at: datetime | None = None,
    by: Actor,
    at: datetime,
) -> tuple[ApiKey, str]:
    """Make a key to the partner API; its text is returned once and is not kept.

    :raises PartnerStatusError: if the partner has ended.
    """
    if partner.status == Partner.Status.ENDED:
        raise PartnerStatusError(status=partner.status)
    return keys.create_api_key(
        kind=ApiKey.Kind.PARTNER,
        owner_id=partner.pk,
        name=name,
        scopes=scopes,
        is_live=is_live,
        expires_at=expires_at,
        by=by,
        at=at,
    )


def revoke_key(*, partner: Partner, key_id: int, by: Actor, at: datetime) -> None:
    """Make one of a partner's own keys useless; doing it again changes nothing.

    :raises UnknownKeyError: if the partner has no such key.
    """
    key = ApiKey.objects.filter(pk=key_id, kind=ApiKey.Kind.PARTNER, owner_id=partner.pk).first()
    if key is None:
        raise keys.UnknownKeyError
    keys.revoke(key=key, by=by, at=at)


def set_offering(
    *,
    partner: Partner,
    benefit: Benefit,
    price_minor: int,
    capacity_per_day: int,
    regions: Sequence[str] = (),
    lead_time_hours: int = 0,
    sla_hours: int = 48,
    valid_from: date | None = None,
    valid_to: date | None = None,
    price_from: date | None = None,
    by: Actor,
    at: datetime,
) -> Offering:
    """Say that a partner delivers a benefit, or change how; the price holds from `price_from`.

    Without dates, both begin today in the brand's time zone.

    :raises InvalidOfferingError: for a value that can not be.
    :raises PastPriceError: if the price would change on a day gone by.
    :raises PartnerStatusError: if the partner has ended.
    """
    if partner.status == Partner.Status.ENDED:
        raise PartnerStatusError(status=partner.status)
    fields = _offering_fields(
        capacity_per_day=capacity_per_day,
        regions=regions,
        lead_time_hours=lead_time_hours,
        sla_hours=sla_hours,
    )
    today = local_date(at, current_brand().timezone)
    with transaction.atomic():
        offering, created = Offering.objects.get_or_create(
            partner=partner,
            benefit=benefit,
            defaults={
                **fields,
                "valid_from": valid_from or today,
                "valid_to": _valid_to(valid_from or today, valid_to),
                "updated_at": at,
            },
        )
        offering = Offering.objects.select_for_update().get(pk=offering.pk)
        if not created:
            begins = valid_from or offering.valid_from
            _change(
                offering,
                {**fields, "valid_from": begins, "valid_to": _valid_to(begins, valid_to)},
                today=today,
                by=by,
                at=at,
            )
        else:
            record(
                by=by,
                at=at,
                action="offering.created",
                target_type="offering",
                target_id=offering.pk,
                changes={"capacity_per_day": [None, capacity_per_day]},
            )
        _set_price(
            offering,
            price_minor=price_minor,
            valid_from=price_from or (offering.valid_from if created else today),
            is_new=created,
            today=today,
            by=by,
            at=at,
        )
    return offering


def change_offering(
    *,
    offering: Offering,
    capacity_per_day: int | None = None,
    regions: Sequence[str] | None = None,
    lead_time_hours: int | None = None,
    sla_hours: int | None = None,
    status: str | None = None,
    by: Actor,
    at: datetime,
) -> Offering:
    """Change what is given of an offering; prices change by `set_price` only.

    A new daily capacity also holds for coming days that were not set one by one, but never
    below what is reserved on them.

    :raises InvalidOfferingError: for a value that can not be.
    """
    today = local_date(at, current_brand().timezone)
    with transaction.atomic():
        offering = Offering.objects.select_for_update().get(pk=offering.pk)
        fields: dict[str, Any] = _offering_fields(
            capacity_per_day=_or(capacity_per_day, offering.capacity_per_day),
            regions=_or(regions, offering.regions),
            lead_time_hours=_or(lead_time_hours, offering.lead_time_hours),
            sla_hours=_or(sla_hours, offering.sla_hours),
        )
        if status is not None:
            if status not in Offering.Status.values:
                raise InvalidOfferingError(_("This status is unknown."), pointer="/status")
            fields["status"] = status
        _change(offering, fields, today=today, by=by, at=at)
    return offering


def set_price(
    *, offering: Offering, price_minor: int, valid_from: date, by: Actor, at: datetime
) -> OfferingPrice:
    """Set the unit price from a day on, until the next price begins.

    :raises InvalidOfferingError: for an amount that can not be.
    :raises PastPriceError: if the day is gone by.
    """
    today = local_date(at, current_brand().timezone)
    with transaction.atomic():
        offering = Offering.objects.select_for_update().get(pk=offering.pk)
        return _set_price(
            offering,
            price_minor=price_minor,
            valid_from=valid_from,
            is_new=False,
            today=today,
            by=by,
            at=at,
        )


def set_capacity(
    *, offering: Offering, on_date: date, capacity: int, by: Actor, at: datetime
) -> CapacityDay:
    """Name what the offering takes on one day; 0 closes the day.

    :raises InvalidOfferingError: for a figure that can not be.
    :raises PastDayError: for a day gone by.
    :raises CapacityBelowReservedError: if more is reserved already.
    """
    if not 0 <= capacity <= _MAX_CAPACITY:
        raise InvalidOfferingError(_("This capacity is out of range."), pointer="/capacity")
    if on_date < local_date(at, current_brand().timezone):
        raise PastDayError(on_date=on_date)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO partners_capacityday AS d (offering_id, on_date, capacity, reserved, is_set)"
            " VALUES (%s, %s, %s, 0, true)"
            " ON CONFLICT (offering_id, on_date) DO UPDATE"
            " SET capacity = excluded.capacity, is_set = true"
            " WHERE d.reserved <= excluded.capacity",
            [offering.pk, on_date, capacity],
        )
        day = CapacityDay.objects.get(offering=offering, on_date=on_date)
        if not cursor.rowcount:
            raise CapacityBelowReservedError(on_date=on_date, reserved=day.reserved)
        record(
            by=by,
            at=at,
            action="capacity.set",
            target_type="offering",
            target_id=offering.pk,
            changes={on_date.isoformat(): [None, capacity]},
        )
    return day


def reserve(*, offering_id: int, on_date: date) -> None:
    """Take one unit of a day, atomically and never above its capacity.

    Runs in the caller's transaction, inside a savepoint: when nothing is left, the full day's
    row is not kept locked, so that a caller may try another one without a deadlock.

    :raises NoCapacityError: if nothing is left.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO partners_capacityday AS d (offering_id, on_date, capacity, reserved, is_set)"
            " SELECT id, %s, capacity_per_day, 1, false FROM partners_offering"
            " WHERE id = %s AND capacity_per_day > 0"
            " ON CONFLICT (offering_id, on_date) DO UPDATE SET reserved = d.reserved + 1"
            " WHERE d.reserved < d.capacity",
            [on_date, offering_id],
        )
        if not cursor.rowcount:
            raise NoCapacityError(offering=offering_id, on_date=on_date)


def release(*, offering_id: int, on_date: date) -> None:
    """Give one reserved unit of a day back, in the caller's transaction."""
    CapacityDay.objects.filter(offering_id=offering_id, on_date=on_date).update(
        reserved=F("reserved") - 1
    )


def _or(value: Any, present: Any) -> Any:
    return present if value is None else value


def _contact(name: str, contact_name: str, email: str, phone: str) -> dict[str, str]:
    if not 1 <= len(name.strip()) <= 120:
        raise InvalidPartnerError(_("A name has 1 to 120 characters."), pointer="/name")
    if len(contact_name) > 120:
        raise InvalidPartnerError(_("The contact's name is too long."), pointer="/contact_name")
    if len(phone) > 40:
        raise InvalidPartnerError(_("The phone number is too long."), pointer="/contact_phone")
    if email:
        try:
            validate_email(email)
        except ValidationError:
            raise InvalidPartnerError(
                _("This is no e-mail address."), pointer="/contact_email"
            ) from None
    return {
        "name": name.strip(),
        "contact_name": contact_name.strip(),
        "contact_email": email.strip(),
        "contact_phone": phone.strip(),
    }


def _move(
    partner: Partner, states: set[Any], to: Partner.Status, reason: str, by: Actor, at: datetime
) -> Partner:
    times = {
        Partner.Status.ACTIVE: {"activated_at": at},
        Partner.Status.ENDED: {"ended_at": at},
    }.get(to, {})
    with transaction.atomic():
        before = Partner.objects.select_for_update().get(pk=partner.pk).status
        if before != to:
            if before not in states:
                partner.refresh_from_db()
                raise PartnerStatusError(status=before)
            Partner.objects.filter(pk=partner.pk).update(status=to, **times)
            _note(partner, to.value, [before, to.value], by=by, at=at, reason=reason)
    partner.refresh_from_db()
    return partner


def _note(
    partner: Partner, word: str, status: list[Any], *, by: Actor, at: datetime, reason: str = ""
) -> None:
    record(
        by=by,
        at=at,
        action=f"partner.{word}",
        target_type="partner",
        target_id=partner.pk,
        changes={"status": status},
        reason=reason,
    )
    emit(
        type=f"partner.{word}",
        subject=f"partner:{partner.pk}",
        data={"partner_id": partner.pk, "code": partner.code},
        at=at,
    )


def _offering_fields(
    *, capacity_per_day: int, regions: Sequence[str], lead_time_hours: int, sla_hours: int
) -> dict[str, Any]:
    if not 0 <= capacity_per_day <= _MAX_CAPACITY:
        raise InvalidOfferingError(_("This capacity is out of range."), pointer="/capacity_per_day")
    if not 0 <= lead_time_hours <= _MAX_HOURS:
        raise InvalidOfferingError(_("This lead time is out of range."), pointer="/lead_time_hours")
    if not 1 <= sla_hours <= _MAX_HOURS:
        raise InvalidOfferingError(_("This standard is out of range."), pointer="/sla_hours")
    paths = sorted({normalise(region) for region in regions} - {""})
    if any(len(path) > REGION_LENGTH for path in paths) or len(paths) > 2_000:
        raise InvalidOfferingError(_("These regions are too long."), pointer="/regions")
    if regions and not paths:
        # An empty list means everywhere: blanks must never widen what is served.
        raise InvalidOfferingError(_("Name at least one region."), pointer="/regions")
    return {
        "capacity_per_day": capacity_per_day,
        "regions": paths,
        "lead_time_hours": lead_time_hours,
        "sla_hours": sla_hours,
    }


def _valid_to(valid_from: date, valid_to: date | None) -> date | None:
    if valid_to is not None and valid_to <= valid_from:
        raise InvalidOfferingError(_("The end lies before the beginning."), pointer="/valid_to")
    return valid_to


def _change(
    offering: Offering, fields: dict[str, Any], *, today: date, by: Actor, at: datetime
) -> None:
    changes = {
        key: [getattr(offering, key), value]
        for key, value in fields.items()
        if getattr(offering, key) != value
    }
    if not changes:
        return
    for key in changes:
        setattr(offering, key, fields[key])
    offering.updated_at = at
    offering.save(update_fields=[*changes, "updated_at"])
    if "capacity_per_day" in changes:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE partners_capacityday SET capacity = greatest(reserved, %s)"
                " WHERE offering_id = %s AND on_date >= %s AND NOT is_set",
                [offering.capacity_per_day, offering.pk, today],
            )
    record(
        by=by,
        at=at,
        action="offering.changed",
        target_type="offering",
        target_id=offering.pk,
        changes={key: [_plain(before), _plain(after)] for key, (before, after) in changes.items()},
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _set_price(
    offering: Offering,
    *,
    price_minor: int,
    valid_from: date,
    is_new: bool,
    today: date,
    by: Actor,
    at: datetime,
) -> OfferingPrice:
    if not 0 <= price_minor <= MAX_MINOR:
        raise InvalidOfferingError(_("This price is out of range."), pointer="/price_minor")
    before = (
        OfferingPrice.objects.filter(offering=offering, valid_from__lte=valid_from)
        .order_by("-valid_from")
        .first()
    )
    if before is not None and before.price_minor == price_minor:
        return before
    if valid_from < today and not is_new:
        raise PastPriceError(valid_from=valid_from)
    price, _created = OfferingPrice.objects.update_or_create(
        offering=offering,
        valid_from=valid_from,
        defaults={"price_minor": price_minor, "set_at": at},
    )
    record(
        by=by,
        at=at,
        action="offering.priced",
        target_type="offering",
        target_id=offering.pk,
        changes={
            "price_minor": [before.price_minor if before else None, price_minor],
            "valid_from": [None, valid_from.isoformat()],
        },
    )
    return price

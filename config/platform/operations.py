"""Writes that need several rooms: a brand with its first owner, a sign-up that proves its address."""

import hashlib
import hmac
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.actors import Actor
from core.errors import ConflictError, InvalidError, LimitError
from tenants.accounts.models import StaffMember
from tenants.accounts.operations import invite_staff
from tenants.brands.context import platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.brands.operations import create_brand, ensure_template

CODE_MINUTES = 15
MAX_TRIES = 5


class WrongCodeError(InvalidError):
    """The code is not the one that was sent."""

    code = "wrong_code"
    message = gettext_lazy("This is not the code that we sent.")


class SignUpOverError(ConflictError):
    """No sign-up is waiting, or its code is too old."""

    code = "sign_up_over"
    message = gettext_lazy("This sign-up is no longer open. Please start again.")


class TooManyTriesError(LimitError):
    """Too many wrong codes."""

    code = "too_many_tries"
    message = gettext_lazy("Too many wrong codes. Please start again.")


@dataclass(frozen=True, slots=True)
class BrandFacts:
    """What a person says about a new brand."""

    slug: str
    name: str
    locale: str
    timezone: str
    currency: str
    email: str


def open_brand(*, facts: BrandFacts, by: Actor, at: datetime) -> Brand:
    """Make a brand and its first owner, who signs in by a code sent to the address.

    :raises InvalidBrandError: for facts that can not be.
    :raises SlugTakenError: if the address of the brand is taken.
    """
    ensure_template()  # may take seconds the first time: not inside the transaction
    with platform_context(), transaction.atomic():
        brand = create_brand(
            slug=facts.slug,
            name=facts.name,
            locale=facts.locale,
            timezone=facts.timezone,
            currency=facts.currency,
            by=by,
            at=at,
        )
        if facts.email:
            with tenant_context(brand):
                invite_staff(email=facts.email, name="", role=StaffMember.Role.OWNER, by=by, at=at)
    return brand


def start_sign_up(*, facts: BrandFacts, at: datetime) -> dict[str, Any]:
    """Send a code to the address; return what to keep in the visitor's session until then."""
    code = f"{secrets.randbelow(10**6):06d}"
    salt = secrets.token_hex(8)
    text = _(
        "Your code is %(code)s.\n\nEnter it within %(minutes)d minutes to open %(name)s. "
        "If you did not ask for this, ignore this mail."
    ) % {"code": code, "minutes": CODE_MINUTES, "name": facts.name}
    send_mail(_("Your sign-up code"), text, settings.DEFAULT_FROM_EMAIL, [facts.email])
    until = at + timedelta(minutes=CODE_MINUTES)
    return {
        "facts": asdict(facts),
        "salt": salt,
        "digest": _digest(salt, code),
        "until": until.isoformat(),
        "tries": 0,
    }


def finish_sign_up(*, pending: dict[str, Any] | None, code: str, by: Actor, at: datetime) -> Brand:
    """Open the brand of a pending sign-up when the code is right; counts tries in `pending`.

    :raises SignUpOverError: if nothing is pending or its time is over.
    :raises WrongCodeError: if the code is another one.
    :raises TooManyTriesError: after five wrong ones.
    :raises SlugTakenError: if somebody else was quicker.
    """
    if not pending or datetime.fromisoformat(pending["until"]) < at:
        raise SignUpOverError
    if pending["tries"] >= MAX_TRIES:
        raise TooManyTriesError
    pending["tries"] += 1
    if not hmac.compare_digest(_digest(pending["salt"], code.strip()), pending["digest"]):
        raise WrongCodeError
    return open_brand(facts=BrandFacts(**pending["facts"]), by=by, at=at)


def _digest(salt: str, code: str) -> str:
    return hashlib.sha256(f"{settings.SECRET_KEY}{salt}{code}".encode()).hexdigest()

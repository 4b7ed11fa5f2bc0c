"""What higher rooms know about people who want to sign in, and users they take on.

A member who has never signed in has no user yet. The room that knows members registers how to
find one by address; the user is made when the address asks for its first code.
"""

from collections.abc import Callable

from django.db import IntegrityError, transaction

from tenants.accounts.models import User

_candidates: list[Callable[[str], bool]] = []
_claims: list[Callable[[User], None]] = []


def register_sign_in_candidate(knows: Callable[[str], bool]) -> None:
    """Register a function that tells whether an e-mail address may have an account here."""
    _candidates.append(knows)


def on_user_created(claim: Callable[[User], None]) -> None:
    """Register a function that takes on a new user, such as linking it to its member."""
    _claims.append(claim)


def ensure_user(email: str) -> User | None:
    """Return the user of an address, made now if a higher room knows the address; else None."""
    email = email.strip().lower()
    user = User.objects.filter(email__iexact=email).first()
    if user is not None or not any(knows(email) for knows in _candidates):
        return user
    try:
        with transaction.atomic():
            user = User.objects.create_user(email)
            for claim in _claims:
                claim(user)
    except IntegrityError:  # the same address asked twice at the same moment
        user = User.objects.filter(email__iexact=email).first()
    return user

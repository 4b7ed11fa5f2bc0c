"""Signing in: a code by e-mail, or a password with the second factor behind it."""

import itertools
import time
from collections.abc import Callable

import pytest
from allauth.account.forms import ConfirmLoginCodeForm
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, generate_totp_secret, hotp_value
from django.core import mail
from django.test import Client

from core import clock
from core.actors import SYSTEM
from members.profiles.operations import enrol
from tenants.accounts import forms
from tenants.accounts.models import StaffMember, User
from tenants.brands.models import Brand
from tests.integration.tenants.threads import run_in_threads

PASSWORD = "correct horse battery staple"


@pytest.fixture(autouse=True)
def _mails_in_memory(settings: pytest.FixtureRequest) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"  # type: ignore[attr-defined]


def _code() -> str:
    return next(word for word in mail.outbox[-1].body.split() if word.isdigit() and len(word) == 6)


def test_a_member_on_file_signs_in_by_code(
    brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    member = enrol(external_id="ann", email="ann@example.com", by=SYSTEM, at=clock.now())
    client = client_for(brand)
    client.post("/accounts/login/code/", {"email": "Ann@example.com"})
    assert brand.name in mail.outbox[-1].subject
    done = client.post("/accounts/login/code/confirm/", {"code": _code()})
    assert done.status_code == 302
    assert client.get("/").status_code == 200
    member.refresh_from_db()
    assert member.user is not None
    assert member.user.email == "ann@example.com"


def test_strangers_and_members_get_the_same_answer(
    brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    enrol(external_id="ann", email="ann@example.com", by=SYSTEM, at=clock.now())
    answers = []
    for address in ("ann@example.com", "nobody@example.com"):
        answer = client_for(brand).post("/accounts/login/code/", {"email": address})
        answers.append((answer.status_code, answer["Location"]))
    assert answers[0] == answers[1]
    assert not User.objects.filter(email="nobody@example.com").exists()


def _with_password(member: StaffMember) -> User:
    user = member.user
    user.set_password(PASSWORD)
    user.save()
    EmailAddress.objects.get_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    return user


def test_a_password_opens_the_console(
    brand: Brand, client_for: Callable[[Brand], Client], staff: Callable[..., StaffMember]
) -> None:
    user = _with_password(staff("owner"))
    client = client_for(brand)
    wrong = client.post("/accounts/login/", {"login": user.email, "password": "x" * 12})
    assert wrong.status_code == 200
    assert client.get("/console/").status_code == 302
    right = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert right.status_code == 302
    assert right["Location"] == "/console/"
    assert client.get("/console/").status_code == 200


def test_behind_the_password_stands_the_second_factor(
    brand: Brand, client_for: Callable[[Brand], Client], staff: Callable[..., StaffMember]
) -> None:
    user = _with_password(staff("finance"))
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    assert Authenticator.objects.filter(user=user).count() == 1
    client = client_for(brand)
    first = client.post("/accounts/login/", {"login": user.email, "password": PASSWORD})
    assert first["Location"].startswith("/accounts/2fa/authenticate/")
    assert client.get("/console/").status_code == 302
    bad = client.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert bad.status_code == 200
    code = format_hotp_value(hotp_value(secret, int(time.time()) // 30))
    assert client.post("/accounts/2fa/authenticate/", {"code": code}).status_code == 302
    assert client.get("/console/").status_code == 200


def test_nobody_changes_their_address_apart_from_the_members(
    brand: Brand, client_for: Callable[[Brand], Client]
) -> None:
    assert client_for(brand).get("/accounts/email/")["Location"] == "/accounts/2fa/"


def test_staff_without_a_second_factor_are_led_to_one_where_it_is_required(
    brand: Brand,
    client_for: Callable[[Brand], Client],
    staff: Callable[..., StaffMember],
    settings: pytest.FixtureRequest,
) -> None:
    settings.STAFF_MFA_REQUIRED = True  # type: ignore[attr-defined]
    client = client_for(brand)
    client.force_login(
        staff("owner").user, backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    assert client.get("/console/")["Location"] == "/accounts/2fa/"


def guessed_at_once(
    brand: Brand, client_for: Callable[[Brand], Client], monkeypatch: pytest.MonkeyPatch
) -> int:
    """Type eight wrong codes at the same moment; return how many were held against the real one."""
    enrol(external_id="ann", email="ann@example.com", by=SYSTEM, at=clock.now())
    client = client_for(brand)
    client.post("/accounts/login/code/", {"email": "ann@example.com"})
    right, cookies = _code(), client.cookies
    judged: list[str] = []

    def compare(*, actual: str, expected: str) -> bool:
        judged.append(actual)
        time.sleep(0.1)  # all have read the session before the first one is answered
        return actual == expected

    monkeypatch.setattr("allauth.account.forms.compare_user_code", compare)
    numbers = itertools.count(1)

    def guess() -> int:
        other = client_for(brand)
        other.cookies = cookies
        code = f"{(int(right) + next(numbers)) % 10**6:06d}"
        return other.post("/accounts/login/code/confirm/", {"code": code}).status_code

    answers = run_in_threads(8, brand, guess)
    assert not [answer for answer in answers if isinstance(answer, Exception)]
    return len(judged)


@pytest.mark.race
def test_guesses_of_a_sign_in_code_at_once_are_all_counted(
    committed_brand: Brand,
    client_for: Callable[[Brand], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert guessed_at_once(committed_brand, client_for, monkeypatch) == 3


@pytest.mark.race
def test_control_guesses_counted_in_the_session_are_lost(
    committed_brand: Brand,
    client_for: Callable[[Brand], Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forms.ConfirmSignInForm, "clean_code", ConfirmLoginCodeForm.clean_code)
    assert guessed_at_once(committed_brand, client_for, monkeypatch) > 3

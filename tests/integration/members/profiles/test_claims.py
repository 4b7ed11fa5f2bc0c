"""Claiming an imported membership by a code: one account, reasons, limits, no hints."""

import itertools
import re
import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import mail
from django.db import transaction
from django.test import Client

from core import clock
from core.actors import SYSTEM, Actor
from members.profiles.claim_operations import MAX_TRIES, confirm_claim, request_claim
from members.profiles.erasure_operations import erase_member
from members.profiles.errors import (
    ClaimEndedError,
    ClaimNotPossibleError,
    EmailTakenError,
    InvalidMemberError,
    TooManyClaimsError,
    WrongClaimCodeError,
)
from members.profiles.models import Claim, Member, MemberPersonal
from members.profiles.operations import block_member, enrol
from tenants.accounts.models import User
from tenants.brands.models import Brand
from tests.integration.tenants.threads import run_in_threads

STAFF = Actor(kind="staff", id=7, label="Staff")


@pytest.fixture(autouse=True)
def _mails_in_memory(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


def code_sent() -> str:
    found = re.search(r"\b\d{6}\b", mail.outbox[-1].body)
    assert found is not None
    return found[0]


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


@pytest.fixture
def by_phone(brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-1", name="Wang", phone="+8613800138000", at=at, by=SYSTEM)


@pytest.fixture
def by_email(brand: Brand, at: datetime) -> Member:
    return enrol(external_id="C-2", email="li@example.com", at=at, by=SYSTEM)


@pytest.mark.parametrize("known_by", ["M{n}", "C-2", " LI@example.com "])
def test_a_code_to_the_address_on_file_makes_the_sign_in(
    by_email: Member, at: datetime, known_by: str
) -> None:
    key = request_claim(known_by=known_by.format(n=by_email.number[1:]), at=at)
    assert mail.outbox[-1].to == ["li@example.com"]
    user = confirm_claim(key=key, code=code_sent(), email="other@example.com", at=at)
    by_email.refresh_from_db()
    # The proved address counts, whatever else was typed.
    assert (user.email, by_email.user) == ("li@example.com", user)


@pytest.mark.parametrize("known_by", ["+86 138 0013 8000", "8613800138000"])
def test_a_code_to_the_phone_on_file_needs_an_address_to_sign_in_with(
    by_phone: Member, at: datetime, known_by: str
) -> None:
    key = request_claim(known_by=known_by, at=at)
    assert mail.outbox[-1].to == ["+8613800138000@sms.invalid"]
    code = code_sent()
    with pytest.raises(InvalidMemberError) as refused:
        confirm_claim(key=key, code=code, at=at)
    assert refused.value.data == {"pointer": "/email"}
    assert not User.objects.exists()
    user = confirm_claim(key=key, code=code, email="Wang@Example.com", at=at)
    assert user.email == "wang@example.com"
    assert MemberPersonal.objects.get(member=by_phone).email == "wang@example.com"
    with pytest.raises(ClaimEndedError):
        confirm_claim(key=key, code=code, email="second@example.com", at=at)
    assert User.objects.count() == 1


def test_nobody_learns_who_is_a_member(by_email: Member, by_phone: Member, at: datetime) -> None:
    enrol(external_id="C-3", phone="+8613800138000", at=at, by=SYSTEM)
    for known_by in ("stranger", "M9999999", "", "a\0b", "+8613800138000"):
        assert isinstance(request_claim(known_by=known_by, at=at), UUID)
    assert (mail.outbox, Claim.objects.count()) == ([], 0)
    with pytest.raises(ClaimEndedError):
        confirm_claim(key=uuid4(), code="000000", at=at)


def test_wrong_codes_are_counted_and_end_the_claim(by_email: Member, at: datetime) -> None:
    key = request_claim(known_by="C-2", at=at)
    code = code_sent()
    left = []
    for _ in range(MAX_TRIES):
        with pytest.raises(WrongClaimCodeError) as refused:
            confirm_claim(key=key, code=wrong(code), at=at)
        left.append(refused.value.data["tries_left"])
    assert left == [4, 3, 2, 1, 0]
    with pytest.raises(ClaimEndedError):
        confirm_claim(key=key, code=code, at=at)
    assert not User.objects.exists()


def test_a_code_runs_out_and_only_its_digest_is_kept(by_email: Member, at: datetime) -> None:
    key = request_claim(known_by="C-2", at=at)
    code = code_sent()
    assert code not in Claim.objects.get().digest
    with pytest.raises(ClaimEndedError):
        confirm_claim(key=key, code=code, at=at + timedelta(minutes=10))


def test_three_codes_an_hour(by_email: Member, at: datetime) -> None:
    for minutes in (0, 10, 20):
        request_claim(known_by="C-2", at=at + timedelta(minutes=minutes))
    with pytest.raises(TooManyClaimsError) as refused:
        request_claim(known_by="C-2", at=at + timedelta(minutes=30))
    assert refused.value.data == {"retry_at": at + timedelta(hours=1)}
    request_claim(known_by="C-2", at=at + timedelta(minutes=61))
    assert len(mail.outbox) == 4


def test_reasons_are_told_to_who_has_the_code(by_phone: Member, at: datetime) -> None:
    key = request_claim(known_by="C-1", at=at)
    code = code_sent()
    other = enrol(external_id="C-9", email="taken@example.com", at=at, by=SYSTEM)
    with pytest.raises(EmailTakenError):
        confirm_claim(key=key, code=code, email="taken@example.com", at=at)
    block_member(member=by_phone, reason="x", by=STAFF, at=at)
    with pytest.raises(ClaimNotPossibleError) as refused:
        confirm_claim(key=key, code=code, email="w@example.com", at=at)
    assert refused.value.data == {"reason": "blocked"}
    erase_member(member=other, confirm=other.number, by=STAFF, at=at)
    erase_member(member=by_phone, confirm=by_phone.number, by=STAFF, at=at)
    # Erasing took the code with it.
    with pytest.raises(ClaimEndedError):
        confirm_claim(key=key, code=code, email="w@example.com", at=at)
    assert not User.objects.exists()


def test_who_signs_in_already_gets_no_code(by_email: Member, at: datetime) -> None:
    first, second = (request_claim(known_by="C-2", at=at) for _ in range(2))
    code = code_sent()
    confirm_claim(key=second, code=code, at=at)
    count = len(mail.outbox)
    request_claim(known_by="C-2", at=at)
    assert len(mail.outbox) == count
    by_email.refresh_from_db()
    with pytest.raises((WrongClaimCodeError, ClaimNotPossibleError)):
        confirm_claim(key=first, code=code, at=at)


def test_the_pages_lead_from_the_number_to_the_membership(
    brand: Brand, at: datetime, client_for: Callable[[Brand], Client], by_phone: Member
) -> None:
    client = client_for(brand)
    with clock.at(at):
        assert client.get("/claim/").status_code == 200
        sent = client.post("/claim/", {"known_by": by_phone.number})
        assert sent.status_code == 302
        code = code_sent()
        bad = client.post(sent["Location"], {"code": wrong(code), "email": "w@example.com"})
        assert bad.status_code == 422
        assert "This code is not right." in bad.content.decode()
        done = client.post(sent["Location"], {"code": code, "email": "w@example.com"})
        assert (done.status_code, done["Location"]) == (302, "/")
        assert by_phone.number in client.get("/me/").content.decode()
    assert "/claim/" in client_for(brand).get("/accounts/login/").content.decode()


def test_one_address_may_try_twenty_times_an_hour(
    brand: Brand, at: datetime, client_for: Callable[[Brand], Client]
) -> None:
    client = client_for(brand)
    with clock.at(at):
        answers = [
            client.post("/claim/", {"known_by": f"nobody-{n}"}).status_code for n in range(22)
        ]
    assert answers == [302] * 20 + [422] * 2


@pytest.mark.race
def test_a_code_typed_eight_times_at_once_makes_one_account(
    committed_brand: Brand, at: datetime
) -> None:
    member = enrol(external_id="C-1", phone="+8613800138000", at=at, by=SYSTEM)
    key = request_claim(known_by="C-1", at=at)
    code = code_sent()
    numbers = itertools.count(1)
    results = run_in_threads(
        8,
        committed_brand,
        lambda: confirm_claim(key=key, code=code, email=f"w{next(numbers)}@example.com", at=at),
    )
    kinds = Counter(type(one) for one in results)
    assert kinds == {User: 1, ClaimEndedError: 7}
    (user,) = User.objects.all()
    member.refresh_from_db()
    assert member.user_id == user.pk


@pytest.mark.race
def test_guesses_at_once_are_all_counted(committed_brand: Brand, at: datetime) -> None:
    enrol(external_id="C-1", email="w@example.com", at=at, by=SYSTEM)
    key = request_claim(known_by="C-1", at=at)
    code = code_sent()
    results = run_in_threads(
        12, committed_brand, lambda: confirm_claim(key=key, code=wrong(code), at=at)
    )
    kinds = Counter(type(one) for one in results)
    assert kinds == {WrongClaimCodeError: MAX_TRIES, ClaimEndedError: 12 - MAX_TRIES}


@pytest.mark.race
def test_control_a_claim_read_without_its_lock_makes_two_accounts(
    committed_brand: Brand, at: datetime
) -> None:
    enrol(external_id="C-1", phone="+8613800138000", at=at, by=SYSTEM)
    request_claim(known_by="C-1", at=at)
    read = threading.Barrier(2)
    numbers = itertools.count(1)

    def naive() -> None:
        with transaction.atomic():
            claim = Claim.objects.select_related("member").get()
            assert claim.used_at is None
            assert claim.member.user_id is None
            read.wait(10)
            user = User.objects.create_user(f"w{next(numbers)}@example.com")
            Member.objects.filter(pk=claim.member_id).update(user=user)
            Claim.objects.filter(pk=claim.pk).update(used_at=at)

    run_in_threads(2, committed_brand, naive)
    assert User.objects.count() == 2

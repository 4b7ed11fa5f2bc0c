"""Staff, keys, webhooks, audit and jobs: the pages, the effects, the refusals."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import get_resolver, reverse

from console.views.integrations import SCOPES
from core import clock
from core.actors import SYSTEM
from tenants.accounts.keys import authenticate
from tenants.accounts.models import ApiKey, StaffMember
from tenants.accounts.operations import invite_staff
from tenants.audit.models import AuditEntry
from tenants.audit.operations import record, seal
from tenants.events.models import WebhookDelivery, WebhookEndpoint
from tenants.events.webhooks import create_endpoint, send_test
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_job

LIMIT = 12
HTMX = {"HX-Request": "true", "HX-Target": "dlg"}
HOOK = "https://hooks.example.com/in"


@pytest.fixture(autouse=True)
def _clock(brand: Any, at: datetime) -> Iterator[None]:
    with clock.at(at):
        yield


def url(name: str, *args: Any) -> str:
    return reverse(f"console:{name}", args=args)


def endpoint(at: datetime, **changes: Any) -> WebhookEndpoint:
    facts: dict[str, Any] = {"owner_id": None, "url": HOOK, "by": SYSTEM, "at": at}
    return create_endpoint(**{**facts, **changes})


def job(at: datetime, **changes: Any) -> Job:
    facts: dict[str, Any] = {"kind": "points.expire", "dedupe_key": "2026-03-15"}
    return enqueue(**{**facts, **changes}, by=SYSTEM, at=at)


def shown_secret(answer: HttpResponse) -> str:
    found = re.search(r'value="([^"]*)" readonly', answer.content.decode())
    assert found is not None
    return found[1]


def pages(at: datetime, colleague: StaffMember) -> dict[str, str]:
    """Make one of everything; return each page's address with a word it has to show."""
    hook = endpoint(at)
    send_test(endpoint=hook, by=SYSTEM, at=at)
    made = job(at)
    record(
        by=SYSTEM, at=at, action="wallet.changed", target_type="wallet", target_id="points",
        changes={"expiry_months": [12, 24]},
    )  # fmt: skip
    return {
        url("staff"): colleague.user.email,
        url("invite_staff"): "Everything, staff and keys included",
        url("change_role", colleague.pk): colleague.user.name,
        url("deactivate_staff", colleague.pk): "What they did stays in the audit",
        url("integrations"): HOOK,
        url("create_key"): "members:read",
        url("create_webhook"): "Such as tier.upgraded",
        url("webhook", hook.pk): "endpoint.test",
        url("webhook", hook.pk) + "?state=dead": "No deliveries yet",
        url("edit_webhook", hook.pk): HOOK,
        url("rotate_secret", hook.pk): "For 24 hours",
        url("audit"): "12 → 24",
        url("audit") + "?target=wallet": "wallet.changed",
        url("jobs"): "2026-03-15",
        url("jobs") + "?tab=schedule": "Daily at 00:20",
        url("job", made.pk): "points.expire",
        url("job_progress", made.pk): "Waiting",
    }


def test_each_page_shows_its_things_in_few_queries(
    at: datetime, staff: Callable[..., StaffMember], staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    for address, word in pages(at, staff("support", name="Kim Lee")).items():
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(address)
        text = answer.content.decode()
        assert answer.status_code in {200, 286}, address
        assert word in text, (address, word)
        assert "<c-" not in text, address
        assert 'style="' not in text, address
        assert len(queries) <= LIMIT, (address, len(queries))


@pytest.mark.parametrize(
    ("role", "name", "status"),
    [
        ("manager", "staff", 403),
        ("manager", "integrations", 403),
        ("manager", "audit", 403),
        ("manager", "jobs", 200),
        ("finance", "audit", 200),
        ("support", "jobs", 403),
        ("owner", "integrations", 200),
    ],
)
def test_a_role_opens_what_is_its_own(
    staff_client: Callable[..., Client], role: str, name: str, status: int
) -> None:
    assert staff_client(role).get(url(name)).status_code == status


# --- Staff ----------------------------------------------------------------------------------


def test_somebody_is_invited_changed_and_taken_out(staff_client: Callable[..., Client]) -> None:
    client = staff_client()
    form = {"email": "Kim@Example.com", "name": "Kim", "role": "analyst"}
    answer = client.post(url("invite_staff"), form, headers=HTMX)
    assert answer.status_code == 204
    kim = StaffMember.objects.get(user__email="kim@example.com")
    assert (kim.role, kim.is_active) == ("analyst", True)
    again = client.post(url("invite_staff"), form, headers=HTMX)
    assert again.status_code == 422
    assert "belongs to staff already" in again.content.decode()
    client.post(url("change_role", kim.pk), {"role": "finance"}, headers=HTMX)
    kim.refresh_from_db()
    assert kim.role == "finance"
    assert client.post(url("deactivate_staff", kim.pk), {}, headers=HTMX).status_code == 204
    kim.refresh_from_db()
    assert not kim.is_active


def test_nobody_changes_their_own_role_nor_leaves_the_brand_without_owner(
    brand: Any, staff: Callable[..., StaffMember], client_for: Callable[..., Client]
) -> None:
    owner = staff("owner")
    client = client_for(brand)
    client.force_login(owner.user)
    own = client.post(url("change_role", owner.pk), {"role": "analyst"}, headers=HTMX)
    assert own.status_code == 422
    assert "their own role" in own.content.decode()
    assert client.post(url("deactivate_staff", owner.pk), {}, headers=HTMX).status_code == 422
    owner.refresh_from_db()
    assert (owner.role, owner.is_active) == ("owner", True)
    assert not AuditEntry.objects.filter(action="staff.role_changed").exists()


# --- Keys -----------------------------------------------------------------------------------


def test_a_keys_text_is_shown_once_works_and_ends_with_its_revocation(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    form = {
        "name": "Shop", "is_live": "no", "scopes": ["members:read", "purchases:write"],
        "expires_on": "2026-04-01",
    }  # fmt: skip
    answer = client.post(url("create_key"), form, headers=HTMX)
    key = ApiKey.objects.get()
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert '"integrations:changed"' in answer["HX-Trigger"]
    text = shown_secret(answer)
    assert text.startswith(f"tsk_test_{key.identifier}_")
    assert authenticate(text=text, kind="brand", at=at) == key
    assert (key.is_live, key.scopes) == (False, ["members:read", "purchases:write"])
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2026-03-31T16:00:00+00:00"
    assert text.split("_", 3)[3] not in client.get(url("integrations")).content.decode()
    assert client.post(url("revoke_key", key.pk), headers=HTMX).status_code == 204
    key.refresh_from_db()
    assert key.revoked_at == at
    assert client.post(url("revoke_key", 999), headers=HTMX).status_code == 404


def test_a_key_without_rights_or_with_a_past_end_is_not_made(
    staff_client: Callable[..., Client],
) -> None:
    client = staff_client()
    form = {"name": "Shop", "is_live": "yes", "scopes": ["members:read"]}
    for wrong in ({"scopes": []}, {"scopes": ["*"]}, {"expires_on": "2026-03-01"}):
        answer = client.post(url("create_key"), {**form, **wrong}, headers=HTMX)
        assert answer.status_code == 422
    assert not ApiKey.objects.exists()


def _asked_for() -> set[str]:
    """Return the scopes that the brand's API asks for."""
    found: set[str] = set()
    waiting = [get_resolver("config.urls")]
    while waiting:
        for pattern in waiting.pop().url_patterns:
            if hasattr(pattern, "url_patterns"):
                waiting.append(pattern)
                continue
            view = getattr(pattern.callback, "cls", None)
            if view is not None and view.__module__.startswith("api.brand_v1"):
                found |= set(getattr(view, "scopes", {}).values())
    return found


def test_the_offered_rights_are_those_that_the_api_asks_for() -> None:
    asked = _asked_for()
    assert "members:read" in asked
    assert asked <= {scope for scope, _label in SCOPES}


# --- Webhooks -------------------------------------------------------------------------------


def test_an_endpoint_is_made_tested_rotated_switched_and_removed(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    client = staff_client()
    form = {"url": HOOK, "event_types": "tier.upgraded, redemption.*", "description": "CRM"}
    made = client.post(url("create_webhook"), form, headers=HTMX)
    hook = WebhookEndpoint.objects.get()
    assert (hook.event_types, hook.description) == (["redemption.*", "tier.upgraded"], "CRM")
    assert shown_secret(made) == hook.secret
    assert hook.secret not in client.get(url("webhook", hook.pk)).content.decode()
    assert client.post(url("test_webhook", hook.pk), headers=HTMX).status_code == 204
    delivery = WebhookDelivery.objects.get()
    assert (delivery.event.type, delivery.state) == ("endpoint.test", "pending")
    old = hook.secret
    rotated = client.post(url("rotate_secret", hook.pk), headers=HTMX)
    hook.refresh_from_db()
    assert hook.secret != old
    assert (hook.previous_secret, shown_secret(rotated)) == (old, hook.secret)
    client.post(url("disable_webhook", hook.pk), headers=HTMX)
    hook.refresh_from_db()
    delivery.refresh_from_db()
    assert (hook.is_enabled, delivery.state) == (False, "dead")
    assert client.post(url("test_webhook", hook.pk), headers=HTMX).status_code == 409
    assert client.post(url("replay", delivery.pk), headers=HTMX).status_code == 409
    client.post(url("enable_webhook", hook.pk), headers=HTMX)
    assert client.post(url("replay", delivery.pk), headers=HTMX).status_code == 204
    delivery.refresh_from_db()
    assert (delivery.state, delivery.attempts) == ("pending", 0)
    edited = {"url": f"{HOOK}/2", "event_types": "", "description": ""}
    client.post(url("edit_webhook", hook.pk), edited, headers=HTMX)
    hook.refresh_from_db()
    assert (hook.url, hook.event_types) == (f"{HOOK}/2", [])
    assert client.post(url("delete_webhook", hook.pk), headers=HTMX).status_code == 204
    assert not WebhookEndpoint.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"url": "ftp://hooks.example.com/in"}, {"url": "nonsense"}, {"event_types": "nonsense"}],
)
def test_an_address_that_we_never_call_is_refused_on_its_field(
    staff_client: Callable[..., Client], wrong: dict[str, str]
) -> None:
    form = {"url": HOOK, "event_types": "", "description": "", **wrong}
    answer = staff_client().post(url("create_webhook"), form, headers=HTMX)
    assert answer.status_code == 422
    assert f'name="{next(iter(wrong))}"' in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_partners_endpoints_are_not_the_brands(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    theirs = endpoint(at, owner_id=7)
    delivery = send_test(endpoint=theirs, by=SYSTEM, at=at)
    client = staff_client()
    assert client.get(url("webhook", theirs.pk)).status_code == 404
    assert client.post(url("delete_webhook", theirs.pk), headers=HTMX).status_code == 404
    assert client.post(url("replay", delivery.pk), headers=HTMX).status_code == 404
    assert HOOK not in client.get(url("integrations")).content.decode()


# --- Audit ----------------------------------------------------------------------------------


def test_the_audit_is_filtered_and_goes_on_behind_a_cursor(
    at: datetime,
    staff: Callable[..., StaffMember],
    staff_client: Callable[..., Client],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.views.audit.PAGE", 2)
    client = staff_client()
    for number in range(3):
        record(by=SYSTEM, at=at, action="tier.tried", target_type="store", target_id=number)
    kim = invite_staff(email="kim@example.com", name="Kim", role="analyst", by=SYSTEM, at=at)

    def actions(query: str) -> list[tuple[str, str]]:
        rows = client.get(url("audit") + query).context["rows"]
        return [(row["entry"].action, row["entry"].target_id) for row in rows]

    assert actions("") == [("staff.invited", str(kim.pk)), ("tier.tried", "2")]
    after = client.get(url("audit")).context["next"]
    assert actions(f"?after={after}") == [("tier.tried", "1"), ("tier.tried", "0")]
    assert actions("?q=staff.") == [("staff.invited", str(kim.pk))]
    assert actions("?target=store&id=1") == [("tier.tried", "1")]
    assert actions("?actor=staff") == []


def test_the_chain_is_verified_on_request(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    record(by=SYSTEM, at=at, action="tier.tried", target_type="store", target_id=1)
    sealed = seal(at=at)
    client = staff_client()
    fragment = {"HX-Request": "true", "HX-Target": "chain"}
    good = client.post(url("verify_audit"), headers=fragment)
    assert good.context["report"].is_intact
    assert good.context["report"].sealed >= sealed > 0
    assert "Nothing was changed, removed or inserted" in good.content.decode()
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE audit_auditentry SET reason = 'forged' WHERE action = 'tier.tried'")
    bad = client.post(url("verify_audit"), headers=fragment)
    assert not bad.context["report"].is_intact
    assert "The chain is broken" in bad.content.decode()


# --- Jobs -----------------------------------------------------------------------------------


def test_scheduled_work_is_run_now_by_those_who_may(staff_client: Callable[..., Client]) -> None:
    assert staff_client("analyst").post(url("run_job", "points.expire")).status_code == 403
    assert not Job.objects.filter(kind="points.expire").exists()
    client = staff_client("manager")
    assert client.post(url("run_job", "points.expire"), headers=HTMX).status_code == 204
    made = Job.objects.get(kind="points.expire")
    assert (made.state, made.dedupe_key[:8]) == ("open", "console-")
    assert client.post(url("run_job", "no.such"), headers=HTMX).status_code == 404


def test_progress_is_asked_for_until_the_job_has_ended(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    made = job(at)
    client = staff_client()
    fragment = {"HX-Request": "true", "HX-Target": "progress"}
    waiting = client.get(url("job_progress", made.pk), headers=fragment)
    assert waiting.status_code == 200
    assert 'hx-trigger="every 2s"' in waiting.content.decode()
    run_job(job_id=made.pk, at=at)
    ended = client.get(url("job_progress", made.pk), headers=fragment)
    assert ended.status_code == 286
    assert "hx-trigger" not in ended.content.decode()


def test_a_waiting_job_is_stopped_and_an_ended_one_is_not(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    made = job(at)
    client = staff_client()
    assert client.post(url("cancel_job", made.pk), headers=HTMX).status_code == 204
    made.refresh_from_db()
    assert made.state == "cancelled"
    assert client.post(url("cancel_job", made.pk), headers=HTMX).status_code == 409
    assert client.post(url("cancel_job", 10**9), headers=HTMX).status_code == 404


def test_a_failed_job_shows_its_error_and_runs_are_filtered(
    at: datetime, staff_client: Callable[..., Client]
) -> None:
    failed = job(at)
    Job.objects.filter(pk=failed.pk).update(
        state="failed", error="Traceback\nValueError: no such day", finished_at=at
    )
    later = job(at, kind="points.activate", due_at=at + timedelta(days=1))
    client = staff_client()

    def keys(query: str) -> list[int]:
        return [row["job"].pk for row in client.get(url("jobs") + query).context["rows"]]

    assert keys("") == [later.pk, failed.pk]
    assert keys("?state=failed") == [failed.pk]
    assert keys("?kind=points.activate") == [later.pk]
    page = client.get(url("jobs")).content.decode()
    assert "ValueError: no such day" in page
    assert "Traceback" not in page
    assert "Traceback" in client.get(url("job", failed.pk)).content.decode()
    # Nothing is due that has not ended: the page need not ask again.
    assert 'hx-trigger="every 3s"' not in page

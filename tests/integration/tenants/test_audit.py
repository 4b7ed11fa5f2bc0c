"""Whoever changes the audit, even as the owner of the database, is found out."""

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core.actors import SYSTEM, Actor
from tenants.audit.errors import WrongSchemaError
from tenants.audit.models import AuditEntry, AuditSeal, BrandIdentity
from tenants.audit.operations import record, seal, verify_chain, verify_identity
from tenants.audit.queries import list_entries
from tenants.brands.context import NoBrandError, tenant_context
from tenants.brands.models import ChainAnchor
from tests.integration.tenants.threads import run_in_threads


def _fill(at, count=10):
    for number in range(count):
        record(
            by=Actor(kind="staff", id=number % 3, label="Ann", address="10.0.0.1"),
            at=at + timedelta(seconds=number),
            action="tier.changed",
            target_type="tier",
            target_id=number,
            changes={"name": ["银卡", f"金卡 {number}"]},
            reason="Ω",
        )


def test_record_writes_who_when_what(brand, at):
    actor = Actor(kind="staff", id=3, label="Ann", address="10.0.0.1")

    record(by=actor, at=at, action="a.b", target_type="t", target_id=9, changes={"x": [1, 2]})

    (entry,) = list_entries(target_type="t")
    assert (entry.actor_kind, entry.actor_id, entry.actor_label) == ("staff", 3, "Ann")
    assert (entry.at, entry.target_id, entry.changes) == (at, "9", {"x": [1, 2]})


def test_record_needs_a_brand(db, at):
    with pytest.raises(NoBrandError):
        record(by=SYSTEM, at=at, action="a.b", target_type="t")


def test_list_entries_filters_and_pages(brand, at):
    _fill(at)

    newest = list_entries(target_type="tier", limit=3)
    assert [entry.target_id for entry in newest] == ["9", "8", "7"]
    older = list_entries(target_type="tier", before=newest[-1].pk, limit=2)
    assert [entry.target_id for entry in older] == ["6", "5"]
    assert {entry.actor_id for entry in list_entries(actor="staff:1")} == {1}
    assert list_entries(target_type="tier", target_id=4)[0].target_id == "4"
    assert list_entries(actor="staff:x") == []


def test_seal_links_every_entry_once(brand, at):
    _fill(at)
    total = AuditEntry.objects.count()

    assert [seal(at=at) for _ in range(3)] == [total, 0, 0]
    _fill(at, 2)
    assert seal(at=at) == 2

    report = verify_chain()
    assert report.is_intact
    assert (report.sealed, report.unsealed, report.anchors) == (total + 2, 0, 1)
    assert list(AuditSeal.objects.order_by("number").values_list("number", flat=True)) == list(
        range(1, total + 3)
    )


def test_chains_of_brands_differ(brand, other_brand, at):
    _fill(at)
    seal(at=at)

    with tenant_context(other_brand):
        assert verify_chain().sealed == 0


def test_unsealed_entries_are_counted_not_blamed(brand, at):
    _fill(at)
    seal(at=at)
    record(by=SYSTEM, at=at, action="later", target_type="t")

    report = verify_chain()

    assert (report.unsealed, report.is_intact) == (1, True)


ATTACKS = {
    "edit an entry": (
        "UPDATE audit_auditentry SET changes = '{}' WHERE id = {fifth}",
        "was changed",
    ),
    "edit who did it": (
        "UPDATE audit_auditentry SET actor_id = 99 WHERE id = {fifth}",
        "was changed",
    ),
    "delete an entry": ("DELETE FROM audit_auditentry WHERE id = {fifth}", "is missing"),
    "delete an entry and its seal": (
        (
            "DELETE FROM audit_auditentry WHERE id = {fifth};"
            "DELETE FROM audit_auditseal WHERE entry_id = {fifth}"
        ),
        "is missing",
    ),
    "close the gap after deleting": (
        (
            "DELETE FROM audit_auditentry WHERE id = {fifth};"
            "DELETE FROM audit_auditseal WHERE entry_id = {fifth};"
            "UPDATE audit_auditseal SET number = number - 1 WHERE number > {fifth_number}"
        ),
        "was changed",
    ),
    "swap two entries": (
        (
            "UPDATE audit_auditseal SET entry_id = -1 WHERE entry_id = {fifth};"
            "UPDATE audit_auditseal SET entry_id = {fifth} WHERE entry_id = {sixth};"
            "UPDATE audit_auditseal SET entry_id = {sixth} WHERE entry_id = -1"
        ),
        "was changed",
    ),
    "insert among the sealed": (
        (
            "UPDATE audit_auditseal SET number = -number WHERE number > {fifth_number};"
            "UPDATE audit_auditseal SET number = 1 - number WHERE number < 0;"
            "INSERT INTO audit_auditentry SELECT id + 10000, at, actor_kind, actor_id, actor_label,"
            " address, action, target_type, target_id, reason, changes FROM audit_auditentry"
            " WHERE id = {fifth};"
            "INSERT INTO audit_auditseal SELECT {fifth_number} + 1, {fifth} + 10000, digest, sealed_at"
            " FROM audit_auditseal WHERE entry_id = {fifth}"
        ),
        "was changed",
    ),
    "cut off the end": (
        (
            "DELETE FROM audit_auditentry WHERE id >= {fifth};"
            "DELETE FROM audit_auditseal WHERE entry_id >= {fifth}"
        ),
        "an anchor notes",
    ),
    "remove everything": (
        "DELETE FROM audit_auditentry; DELETE FROM audit_auditseal",
        "an anchor notes",
    ),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_tampering_is_found(brand, at, name):
    statement, finding = ATTACKS[name]
    _fill(at)
    seal(at=at)
    seals = list(AuditSeal.objects.order_by("number"))
    assert verify_chain().is_intact

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER append_only")
        cursor.execute("ALTER TABLE audit_auditseal DISABLE TRIGGER append_only")
        cursor.execute(
            statement.replace("{fifth}", str(seals[4].entry_id))
            .replace("{sixth}", str(seals[5].entry_id))
            .replace("{fifth_number}", str(seals[4].number))
        )

    report = verify_chain()
    assert not report.is_intact
    assert finding in report.problems[0]


def test_chain_rebuilt_from_scratch_is_found_by_its_anchor(brand, at):
    _fill(at)
    seal(at=at)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER append_only")
        cursor.execute("ALTER TABLE audit_auditseal DISABLE TRIGGER append_only")
        cursor.execute("UPDATE audit_auditentry SET reason = 'forged'")
        cursor.execute("DELETE FROM audit_auditseal")
        cursor.execute("ALTER TABLE audit_auditseal ENABLE TRIGGER append_only")
    ChainAnchor.objects.filter(brand_id=brand.pk)
    seal(at=at)

    assert "differs from its anchor" in verify_chain().problems[0]


def test_expected_head_must_be_a_link(brand, at):
    _fill(at)
    seal(at=at)
    head = verify_chain().head
    _fill(at, 3)
    seal(at=at)

    assert verify_chain(expected=head).is_intact
    assert verify_chain(expected="f" * 64).problems == ["the expected head is no link of the chain"]


def test_anchors_are_noted_hourly_and_refuse_change(brand, at):
    for minutes in (0, 30, 61, 90):
        _fill(at, 1)
        seal(at=at + timedelta(minutes=minutes))

    assert ChainAnchor.objects.filter(brand_id=brand.pk).count() == 2


@pytest.mark.race
def test_four_sealers_make_one_chain(committed_brand, at):
    _fill(at, 50)
    total = AuditEntry.objects.count()

    sealed = run_in_threads(4, committed_brand, lambda: seal(at=at))

    assert sum(sealed) == total
    assert verify_chain().is_intact


def test_verify_audit_command(brand, at, capsys):
    _fill(at)
    seal(at=at)
    call_command("verify_audit", "bloom")
    assert "sealed and intact" in capsys.readouterr().out

    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER append_only")
        cursor.execute("UPDATE audit_auditentry SET action = 'forged'")
    with pytest.raises(CommandError, match="does not verify"):
        call_command("verify_audit", "bloom")


def test_identity_of_the_schema_is_checked(brand, other_brand):
    verify_identity()

    BrandIdentity.objects.update(schema_name=other_brand.schema_name)
    with pytest.raises(WrongSchemaError):
        verify_identity()

    BrandIdentity.objects.all().delete()
    with pytest.raises(WrongSchemaError):
        verify_identity()

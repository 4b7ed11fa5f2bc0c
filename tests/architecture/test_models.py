"""Promises about every table: may it change, and does it hold what names a person?"""

from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction

from tenants.brands.models import Brand

OURS = {"brands", "accounts", "audit", "jobs", "events", "members", "benefits", "partners"}
# Where personal data lies: erasing a member clears these fields and nothing else.
PERSONAL_DATA: dict[str, set[str]] = {
    "accounts.User": {"email", "name"},
    "members.MemberPersonal": {
        "name", "email", "phone", "gender", "birthday", "name_folded", "grams", "phone_tail",
    },
    "members.Member": {"external_id", "tags", "attributes"},
    "members.Erasure": {"reason", "traces"},
    "members.ActivityEvent": {"properties"},
    "benefits.MallOrder": {"reason", "tracking"},
    "benefits.RedemptionStep": {"reason"},
    "partners.FulfilmentOrder": {"note", "failure_reason", "evidence"},
    "partners.OrderOffer": {"reason"},
    "partners.PartnerCall": {"last_error"},
    "partners.OrderTransition": {"reason"},
    "partners.DisputeMessage": {"text"},
    "members.MemberMerge": {"reason", "undo_reason"},
    "benefits.MallAddress": {"recipient", "phone", "lines"},
    "benefits.DrawTicket": {"lucky_words"},
    "benefits.MemberAddress": {"recipient", "phone", "lines"},
    "benefits.RedemptionNote": {"note", "comment"},
    "benefits.DiaryEntry": {"words"},
    "benefits.DiaryPhoto": {"content"},
    "benefits.OfficerIdea": {"words"},
    "partners.Partner": {"contact_name", "contact_email", "contact_phone"},
}  # fmt: skip
APPEND_ONLY = {
    "audit.AuditEntry",
    "audit.AuditSeal",
    "members.Entry",
    "members.Transfer",
    "members.PurchaseLine",
    "members.Refund",
    "members.ConsentChange",
    "members.ConsentText",
    "members.RefundLine",
    "members.ActivityEvent",
    "members.TierChange",
    "members.TierWelcome",
    "benefits.BudgetEntry",
    "benefits.CodeImport",
    "benefits.DrawTicket",
    "benefits.BenefitVersion",
    "benefits.GrantRevocation",
    "benefits.GrantTerms",
    "benefits.RedemptionStep",
    "benefits.RuleVersion",
    "benefits.StageChange",
    "benefits.StockMovement",
    "partners.OrderTransition",
    "partners.OrderCharge",
    "partners.Correction",
    "partners.DisputeMessage",
    "partners.PrepaidEntry",
    "partners.StatementLine",
}
PERSONAL_WORDS = ("email", "phone", "birthday", "gender", "address1", "line1", "recipient")


def _models() -> list[type[models.Model]]:
    return [m for m in apps.get_models() if m._meta.app_label in OURS]


def test_personal_data_is_declared() -> None:
    undeclared = [
        f"{model._meta.label}.{field.name}"
        for model in _models()
        for field in model._meta.concrete_fields
        if any(word in field.name for word in PERSONAL_WORDS)
        and field.name not in PERSONAL_DATA.get(model._meta.label, set())
    ]
    assert undeclared == []


def test_declared_personal_fields_exist() -> None:
    known = {m._meta.label: {f.name for f in m._meta.concrete_fields} for m in _models()}
    gone = {
        label: fields - known.get(label, set())
        for label, fields in PERSONAL_DATA.items()
        if fields - known.get(label, set())
    }
    assert gone == {}


def test_append_only_tables_have_their_triggers(brand: Brand) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, bool_or(t.tgtype & 16 > 0), bool_or(t.tgtype & 8 > 0),"
            "       bool_or(t.tgtype & 32 > 0)"
            "  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
            "  JOIN pg_proc p ON p.oid = t.tgfoid"
            " WHERE c.relnamespace = current_schema()::regnamespace AND NOT t.tgisinternal"
            "   AND p.proname = 'refuse_change'"
            " GROUP BY c.relname HAVING bool_or(t.tgqual IS NULL)"
        )
        found = {row[0] for row in cursor.fetchall() if all(row[1:])}
    wanted = {apps.get_model(label)._meta.db_table for label in APPEND_ONLY}
    assert wanted - found == set()
    assert found - wanted == set()


def test_append_only_means_it(brand: Brand, at: Any) -> None:
    from tenants.audit.models import AuditEntry

    entry = AuditEntry.objects.create(
        at=at, actor_kind="system", action="x", target_type="brand", changes={}
    )
    with pytest.raises(DatabaseError, match="append"), transaction.atomic():
        AuditEntry.objects.filter(pk=entry.pk).update(action="y")
    assert AuditEntry.objects.get(pk=entry.pk).action == "x"


def test_no_foreign_key_crosses_the_border() -> None:
    """A brand's table never points into `public`, nor the other way round."""
    shared = {"brands", "jobs"}
    both = {"accounts", "auth", "contenttypes", "sessions"}
    crossing = [
        f"{model._meta.label}.{field.name}"
        for model in _models()
        for field in model._meta.concrete_fields
        if field.is_relation and field.related_model is not None
        for target in [field.related_model._meta.app_label]  # type: ignore[union-attr]
        if (model._meta.app_label in shared) != (target in shared)
        and not (model._meta.app_label in shared and target in both)
    ]
    assert crossing == []


_INSTANTS = {
    "at", "since", "until", "leased_until", "failing_since", "previous_secret_until",
    "last_login", "accept_by", "scheduled_for", "undo_until",
}  # fmt: skip


def test_times_say_so_in_their_names() -> None:
    wrong = [
        f"{model._meta.label}.{field.name}"
        for model in _models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.DateTimeField)
        and not field.name.endswith("_at")
        and field.name not in _INSTANTS
    ]
    assert wrong == []


# Statistics with an interval of their own: no amount, no count, nothing that must add up.
ESTIMATES = {"benefits.ReturnEstimate"}


def test_nothing_is_a_float() -> None:
    wrong = [
        f"{model._meta.label}.{field.name}"
        for model in _models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.FloatField) and model._meta.label not in ESTIMATES
    ]
    assert wrong == []

"""Every table that refers to a member is exported with the member, and says what erasing does."""

from collections.abc import Iterator, Mapping

import pytest
from django.apps import apps
from django.db import models

from members.profiles.models import Member
from members.profiles.registry import DELETE, KEEP, list_member_tables
from tests.architecture.test_models import OURS, PERSONAL_DATA

# Not about one member, although a key leads there.
NOT_ABOUT_MEMBERS: dict[str, str] = {"benefits.StockUnit": "which unit, not whose order"}
# Tables without a foreign key whose rows belong to a member all the same.
OPAQUE = {
    "members.Account": "owner_id",
    "members.Entry": "account_id",
    "members.Lot": "account_id",
    "members.Hold": "account_id",
    "members.Transfer": "from_account_id",
    "members.AdjustmentRequest": "owner_id",
    "members.EarnedDay": "account_id",
    "members.ExpiryNotice": "account_id",
    "partners.OrderTransition": "order_id",
    "partners.CodeAttempts": "order_id",
    "partners.OrderCharge": "order_id",
    "partners.DisputeMessage": "dispute_id",
}
# Personal data of others than members; and the sign-in, which the erasure deletes by itself.
OTHERS = {"accounts.User", "partners.Partner"}


def _references(model: type[models.Model]) -> Iterator[str]:
    """Yield the fields that lead to a member, at once or by another table about members."""
    about = {table.model for table in list_member_tables()} | {Member._meta.label}
    for field in model._meta.concrete_fields:
        target = field.related_model
        if isinstance(target, type) and target._meta.label in about:
            yield field.name


def _models() -> list[type[models.Model]]:
    return [m for m in apps.get_models() if m._meta.app_label in OURS]


def test_each_table_that_refers_to_a_member_is_registered() -> None:
    """When this fails: `register_member_table(MemberTable(...))` in the room's registrations."""
    known = {table.model for table in list_member_tables()}
    forgotten = {
        f"{model._meta.label}.{name}"
        for model in _models()
        if model._meta.label not in known | NOT_ABOUT_MEMBERS.keys()
        for name in _references(model)
    }
    assert forgotten == set()


def test_opaque_references_are_registered_too() -> None:
    known = {table.model for table in list_member_tables()}
    assert OPAQUE.keys() - known == set()
    for label, field in OPAQUE.items():
        assert field in {f.attname for f in apps.get_model(label)._meta.concrete_fields}


@pytest.mark.parametrize("table", list_member_tables(), ids=lambda table: table.model)
def test_what_a_table_erases_exists_and_is_declared(table: object) -> None:
    entry = next(one for one in list_member_tables() if one is table)
    fields = {field.name for field in apps.get_model(entry.model)._meta.concrete_fields}
    attnames = {f.attname for f in apps.get_model(entry.model)._meta.concrete_fields}
    assert entry.hidden <= fields | attnames
    declared = PERSONAL_DATA.get(entry.model, set())
    if isinstance(entry.erase, Mapping):
        assert set(entry.erase) <= declared
    elif entry.erase == KEEP:
        assert entry.model == "members.Member" or not declared
    else:
        assert entry.erase == DELETE


def test_personal_data_is_erased_by_some_table() -> None:
    erasing = {table.model for table in list_member_tables() if table.erase != KEEP}
    assert PERSONAL_DATA.keys() - OTHERS - {"members.Member"} - erasing == set()

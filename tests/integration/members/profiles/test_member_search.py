"""The console's search finds members by what people know of them."""

from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.actors import SYSTEM
from members.profiles.models import Member
from members.profiles.operations import enrol, enrol_many
from members.profiles.queries import search_members
from tenants.brands.models import Brand


@pytest.fixture
def people(brand: Brand, at: datetime) -> dict[str, Member]:
    facts = {
        "wang": {"name": "王小明", "email": "wang@example.com", "phone": "+8613800138000"},
        "ou": {"name": "欧阳明华", "email": "ou.yang@example.com", "phone": "13912345678"},
        "ada": {"name": "Ada Lovelace", "email": "ada_l@example.com", "phone": ""},
        "zoe": {"name": "Zoë ＦＵＬＬ", "email": "", "phone": "020 7946 0000"},
    }
    return {
        key: enrol(external_id=f"ext-{key}", at=at, by=SYSTEM, **values)
        for key, values in facts.items()
    }


def found(text: str, people: dict[str, Member]) -> list[str]:
    names = {member.pk: key for key, member in people.items()}
    return sorted(names[member.pk] for member in search_members(text=text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("王", ["wang"]),
        ("小明", ["wang"]),
        ("明", ["ou", "wang"]),
        ("欧阳明华", ["ou"]),
        ("明小", []),
        ("love", ["ada"]),
        ("DA LOVE", ["ada"]),
        ("full", ["zoe"]),
        ("zoë", ["zoe"]),
        ("ext-w", ["wang"]),
        ("Wang@", ["wang"]),
        ("ada_", ["ada"]),
        ("ada%", []),
        ("_da", []),
        ("8000", ["wang"]),
        ("0000", ["zoe"]),
        ("13912345678", ["ou"]),
        ("139-1234", ["ou"]),
        ("+86 138", ["wang"]),
        ("86138", ["wang"]),
        ("138 0013 8000", ["wang"]),
        ("0138000", ["wang"]),
        ("1390000 8000", []),
        ("\\", []),
        ("nobody", []),
        ("wa\ud800ng@", ["wang"]),
        ("\0", ["ada", "ou", "wang", "zoe"]),
        ("  ", ["ada", "ou", "wang", "zoe"]),
    ],
)
def test_search(people: dict[str, Member], text: str, expected: list[str]) -> None:
    assert found(text, people) == expected


def test_search_by_number_in_small_letters(people: dict[str, Member]) -> None:
    assert found(str(people["ada"].number).lower(), people) == ["ada"]


def test_pages_go_on_where_the_last_one_ended(people: dict[str, Member]) -> None:
    newest_first = sorted((member.pk for member in people.values()), reverse=True)
    for text in ("", "ext-"):
        first = search_members(text=text, limit=3)
        rest = search_members(text=text, limit=3, after=first[-1].pk)
        assert [member.pk for member in [*first, *rest]] == newest_first
        assert len(first) == 3


def test_two_queries_with_personal_data(people: dict[str, Member]) -> None:
    with CaptureQueriesContext(connection) as queries:
        names = [member.personal.name for member in search_members(text="明")]
    assert sorted(names) == ["欧阳明华", "王小明"]
    assert len(queries) == 2


def test_each_way_of_searching_has_an_index(people: dict[str, Member], at: datetime) -> None:
    enrol_many(members=[(f"bulk-{n}", at) for n in range(3_000)], by=SYSTEM, at=at)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE members_member; ANALYZE members_memberpersonal")
        cursor.execute("SET LOCAL enable_seqscan = off")
        for condition, index in (
            ("m.number LIKE 'M00000017%'", "member_number_unique"),
            ("m.external_id LIKE 'bulk-17%'", "member_external_id_unique"),
            ("p.email <> '' AND p.email LIKE 'wang%'", "member_email_unique"),
            ("p.phone <> '' AND p.phone LIKE '+8613%'", "member_phone_prefix"),
            ("p.phone <> '' AND p.phone_tail = '8000'", "member_phone_tail"),
            ("p.grams @> ARRAY['小明']::varchar[]", "member_name_grams"),
        ):
            table = "member m" if condition.startswith("m.") else "memberpersonal p"
            cursor.execute(f"EXPLAIN SELECT 1 FROM members_{table} WHERE {condition}")
            plan = "\n".join(row[0] for row in cursor.fetchall())
            assert index in plan

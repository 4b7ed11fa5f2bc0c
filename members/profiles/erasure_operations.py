"""Erasing a person: asked for, decided, done at once, and looked after until nothing is left.

The first transaction takes away what names the person wherever a table refers to the member, and
the sign-in. A job then looks for the values in what has no such reference and is kept for some
weeks. The ledger, purchases, orders and facts stay as they are: they belong to a member's key.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import CharField, JSONField, TextField
from django.utils.translation import gettext_lazy as _

from core import clock
from core.actors import Actor
from members.profiles import _traces, registry
from members.profiles._traces import Traces
from members.profiles.errors import (
    ErasedMemberError,
    ErasureHeldUpError,
    ErasureNotFoundError,
    InvalidMemberError,
)
from members.profiles.models import Erasure, Member, MemberPersonal
from tenants.accounts.operations import delete_user
from tenants.accounts.queries import is_or_was_staff
from tenants.audit.operations import record
from tenants.brands.context import current_brand
from tenants.events.operations import emit
from tenants.jobs.operations import enqueue
from tenants.jobs.registry import JobRun

JOB = "members.erase"
# The GDPR gives a month; most laws no less.
DUE_AFTER = timedelta(days=30)
_State = Erasure.State
# Words that are looked for elsewhere: sentences, and no more than a search can hold at once.
_SHORTEST_WORDS, _MOST_WORDS, _MOST_ROWS = 8, 500, 2_000


def ask_erasure(*, member: Member, by: Actor, at: datetime) -> Erasure:
    """Note that a member wants to be erased; staff decide within 30 days. Asking again is no-op.

    :raises ErasedMemberError: if it has happened.
    """
    with transaction.atomic():
        locked = _lock(member)
        known = Erasure.objects.filter(member=locked, state=_State.ASKED).first()
        if known is not None:
            return known
        erasure = _new(locked, by, at)
        erasure.save()
        _audit("member.erasure_asked", locked, by, at)
        emit(type="member.erasure_asked", subject=f"member:{locked.pk}", data={}, at=at)
    return erasure


def withdraw_erasure(*, member: Member, by: Actor, at: datetime) -> Erasure:
    """Take back a wish that nobody has followed yet.

    :raises ErasureNotFoundError: if there is no open one.
    """
    return _close(member, _State.WITHDRAWN, "", by, at)


def refuse_erasure(*, member: Member, reason: str, by: Actor, at: datetime) -> Erasure:
    """Say no to a wish, with the reason the member will read.

    :raises ErasureNotFoundError: if there is no open one.
    :raises InvalidMemberError: without a reason.
    """
    if not reason.strip():
        raise InvalidMemberError(_("A reason is needed."), pointer="/reason")
    return _close(member, _State.REFUSED, reason.strip()[:300], by, at)


def erase_member(*, member: Member, confirm: str, by: Actor, at: datetime) -> Erasure:
    """Erase a person for good. `confirm` is the member's number, typed by whoever decides.

    Personal data, words, tags, attributes, addresses, the brand's own key and the sign-in are
    gone with this transaction; a job clears events, stored answers, sessions and files. What
    happened stays under the number alone.

    :raises InvalidMemberError: if `confirm` is not the number.
    :raises ErasedMemberError: if it has happened.
    :raises ErasureHeldUpError: if something is under way that needs the person; `reasons` tell.
    """
    if confirm.strip().upper() != member.number:
        raise InvalidMemberError(
            _("Type the number %(number)s to confirm.") % {"number": member.number},
            pointer="/confirm",
        )
    with transaction.atomic():
        locked = _lock(member)
        reasons = [str(why) for ask in registry.list_obstacles() if (why := ask(locked.pk))]
        if reasons:
            raise ErasureHeldUpError(" ".join(reasons), reasons=reasons)
        erasure = Erasure.objects.filter(member=locked, state=_State.ASKED).first() or _new(
            locked, by, at
        )
        erasure.traces = _traces_of(locked).as_stored()
        erasure.report = _erase_rows(locked)
        erasure.state, erasure.decided_at, erasure.decided_by = _State.STARTED, at, by.key
        erasure.save()
        user = locked.user
        locked.user = None
        locked.status = Member.Status.ERASED
        locked.external_id = f"erased-{locked.number}"
        locked.tags, locked.attributes, locked.locale = [], {}, ""
        locked.save()
        if user is not None:
            delete_user(user)
        _audit("member.erased", locked, by, at)
        emit(
            type="member.erased",
            subject=f"member:{locked.pk}",
            data={"number": locked.number},
            at=at,
        )
        enqueue(
            kind=JOB,
            dedupe_key=f"erasure:{erasure.pk}",
            parameters={"erasure": erasure.pk},
            by=by,
            at=at,
        )
    return erasure


def clear_traces(run: JobRun) -> None:
    """Job `members.erase`: clear what has no reference to the member, then forget the values."""
    erasure = Erasure.objects.select_related("member").get(pk=run.parameters["erasure"])
    steps = registry.list_trace_steps()
    traces = Traces.from_stored(erasure.traces)
    report: dict[str, Any] = dict(erasure.report)
    for number, (name, step) in enumerate(steps.items(), 1):
        run.progress(number, len(steps) + 1)
        with transaction.atomic():
            found = step(traces=traces, at=run.at) if traces.all else 0
            if found:
                report[name] = report.get(name, 0) + found
    with transaction.atomic():
        # What was on its way when the first transaction ended has arrived by now.
        Member.objects.select_for_update().get(pk=erasure.member_id)
        for label, count in _erase_rows(erasure.member).items():
            report[label] = report.get(label, 0) + count
        Erasure.objects.filter(pk=erasure.pk).update(
            state=_State.DONE, traces=[], report=report, finished_at=run.at
        )
        run.complete({"places": len(report), "rows": sum(report.values())})


def _lock(member: Member) -> Member:
    # For update, not merely for no key update: rows that refer to the member wait for it.
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM members_member WHERE id = %s FOR UPDATE", [member.pk])
    locked = Member.objects.select_related("personal", "user").get(pk=member.pk)
    if locked.status == Member.Status.ERASED:
        raise ErasedMemberError
    return locked


def _new(member: Member, by: Actor, at: datetime) -> Erasure:
    today = clock.local_date(at, current_brand().timezone)
    return Erasure(member=member, asked_at=at, asked_by=by.key, due_on=today + DUE_AFTER)


def _close(member: Member, state: Erasure.State, reason: str, by: Actor, at: datetime) -> Erasure:
    with transaction.atomic():
        locked = _lock(member)
        erasure = Erasure.objects.filter(member=locked, state=_State.ASKED).first()
        if erasure is None:
            raise ErasureNotFoundError(member=member.number)
        erasure.state, erasure.reason = state, reason
        erasure.decided_at, erasure.decided_by, erasure.finished_at = at, by.key, at
        erasure.save()
        _audit(f"member.erasure_{state.value}", locked, by, at, reason=reason)
        emit(
            type="member.erasure_closed",
            subject=f"member:{locked.pk}",
            data={"state": state.value},
            at=at,
        )
    return erasure


def _traces_of(member: Member) -> Traces:
    """Return what says who the member is, and the words that all rooms are about to erase."""
    names: list[object] = [member.external_id]
    personal = getattr(member, "personal", None)
    if personal is not None:
        names += [personal.name, personal.email, personal.phone]
    if member.user is not None and not is_or_was_staff(member.user):
        names += [member.user.email, member.user.name]
    words = list(_traces.texts_in(member.attributes))
    for table in registry.list_member_tables():
        if table.erase == registry.KEEP or table.model == "members.MemberPersonal":
            continue
        rows = table.rows_of(member.pk).filter(table.erase_where)
        fields = (
            list(table.erase)
            if isinstance(table.erase, Mapping)
            else [
                field.attname
                for field in rows.model._meta.concrete_fields  # noqa: SLF001  (Django's public name)
                if isinstance(field, TextField | CharField | JSONField)
            ]
        )
        for row in rows.values_list(*fields)[:_MOST_ROWS]:
            words += _traces.texts_in(list(row))
    telling = {word.strip() for word in words if len(word.strip()) >= _SHORTEST_WORDS}
    return Traces(tuple(_traces.worth_seeking(names)), tuple(sorted(telling)[:_MOST_WORDS]))


def _erase_rows(member: Member) -> dict[str, int]:
    """Take what names the person out of every table that refers to the member; count the rows."""
    counts: dict[str, int] = {}
    for table in registry.list_member_tables():
        if table.erase == registry.KEEP:
            continue
        rows = table.rows_of(member.pk).filter(table.erase_where).order_by()
        if isinstance(table.erase, Mapping):
            count = rows.exclude(**table.erase).update(**table.erase)
        else:
            count, _by_model = rows.delete()
        if count:
            counts[table.model] = count
    MemberPersonal.objects.filter(member=member).delete()
    return counts


def _audit(action: str, member: Member, by: Actor, at: datetime, *, reason: str = "") -> None:
    if by.kind != "member":
        record(
            by=by,
            at=at,
            action=action,
            target_type="member",
            target_id=member.pk,
            reason=reason,
        )

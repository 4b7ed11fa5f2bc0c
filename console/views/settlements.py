"""Settlement: months, statements, their lines and disputes, corrections, files."""

from datetime import date
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish
from console.nav import shell
from core import clock
from core.errors import NotFoundError
from core.web.responses import render_page
from partners.pool.queries import get_partner
from partners.settlements import exports, operations, prepaid, queries
from partners.settlements.generation import month_before
from partners.settlements.models import Statement, StatementLine
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 50
_FILES = {
    "csv": ("text/csv; charset=utf-8", exports.as_csv),
    "xlsx": (
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        exports.as_xlsx,
    ),
}


@staff_page(p.SETTLEMENTS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show a settled month and its statements, by state if asked."""
    months = queries.list_months()
    asked = request.GET.get("month", "")
    month = next((row for row in months if f"{row.month:%Y-%m}" == asked), None) or (
        months[0] if months else None
    )
    state = request.GET.get("state", "")
    state = state if state in Statement.State.values else ""
    after = request.GET.get("after", "")
    found = (
        queries.list_statements(
            month=month.month,
            states=[state] if state else [],
            after=int(after) if after.isdigit() else None,
            limit=PAGE + 1,
        )
        if month
        else []
    )
    now = clock.now()
    last = month_before(now)
    context = {
        **shell(request, active="settlements"),
        "page_title": _("Settlement"),
        "months": months,
        "month": month,
        "tabs": _tabs(month, state),
        "state": state,
        "statements": found[:PAGE],
        "next": str(found[PAGE - 1].pk) if len(found) > PAGE else "",
        "last": last,
        "is_missing": all(row.month != last for row in months),
        "drafts": month.by_state.get("draft", 0) if month else 0,
        "waiting": queries.list_waiting_corrections(),
    }
    return render_page(request, "console/settlements.html", context, partial="settlements")


def _tabs(month: queries.MonthTotal | None, state: str) -> list[dict[str, Any]]:
    if month is None:
        return []
    address = f"{reverse('console:settlements')}?month={month.month:%Y-%m}"
    states = [("", _("All"), month.statements)] + [
        (value, label, month.by_state.get(value, 0)) for value, label in Statement.State.choices
    ]
    return [
        {
            "url": f"{address}&state={value}" if value else address,
            "label": label,
            "active": value == state,
            "count": count,
        }
        for value, label, count in states
    ]


@staff_page(p.SETTLEMENTS_VIEW)
def show(request: StaffRequest, number: str) -> HttpResponse:
    """Show one statement: what it comes to, its disputes, its lines."""
    statement = queries.get_statement(number=number)
    kind = request.GET.get("kind", "")
    kind = kind if kind in StatementLine.Kind.values else ""
    after = request.GET.get("after", "")
    lines = queries.list_lines(
        statement=statement,
        kinds=[kind] if kind else [],
        disputed=request.GET.get("only") == "disputed",
        order=request.GET.get("order", "").strip(),
        after=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    disputes = queries.list_disputes(statement=statement)
    threads = queries.list_messages(dispute_ids=[row.pk for row in disputes])
    facts = {
        line.id: line
        for line in queries.list_lines(
            statement=statement, disputed=True, limit=max(len(disputes), 1)
        )
    }
    today = clock.today(current_brand().timezone)
    kinds = dict(StatementLine.Kind.choices)
    context = {
        **shell(request, active="settlements"),
        "page_title": statement.partner.name,
        "statement": statement,
        "terms": queries.list_terms(statement=statement),
        "kinds": StatementLine.Kind.choices,
        "kind": kind,
        "order": request.GET.get("order", ""),
        "lines": [{"line": line, "kind": kinds[line.kind]} for line in lines[:PAGE]],
        "next": str(lines[PAGE - 1].id) if len(lines) > PAGE else "",
        "disputes": [
            {
                "dispute": row,
                "line": facts.get(row.line_id),
                "kind": kinds[row.line.kind],
                "messages": threads.get(row.pk, []),
            }
            for row in disputes
        ],
        "can": _can(statement, request.actor.key, today),
        "prepaid": next(
            iter(prepaid.list_floats(at=clock.now(), partners=[statement.partner_id])), None
        ),
        "steps": _steps(statement),
    }
    return render_page(
        request,
        "console/statement.html",
        context,
        partial={"lines": "lines"}.get(request.headers.get("HX-Target", ""), "statement"),
    )


def _can(statement: Statement, me: str, today: date) -> dict[str, Any]:
    """Return what can be done with a statement now, and what approval waits for."""
    states = Statement.State
    is_open = statement.state in {states.SENT, states.DISPUTED}
    waits = ""
    if is_open and getattr(statement, "open_disputes", None):
        waits = _("A disputed line waits for an answer.")
    elif (
        is_open
        and statement.agreed_at is None
        and statement.objection_until_on is not None
        and today <= statement.objection_until_on
    ):
        waits = _("The partner has not agreed yet and may still object.")
    if is_open and not waits and statement.sent_by == me:
        waits = _("Somebody other than the sender must approve.")
    return {
        "send": statement.state == states.DRAFT,
        "approve": is_open and not waits,
        "pay": statement.state == states.APPROVED,
        "waits": waits,
    }


def _steps(statement: Statement) -> list[dict[str, Any]]:
    rows: list[tuple[str, str, str, Any, str]] = [
        (_("Drafted"), "file-text", "muted", statement.computed_at, _("Automatic")),
        (_("Sent to the partner"), "send", "info", statement.sent_at, statement.sent_by_label),
        (_("The partner agreed"), "user-check", "ok", statement.agreed_at, statement.partner.name),
        (_("Approved"), "checks", "ok", statement.approved_at, statement.approved_by_label),
    ]
    return [
        {"title": title, "icon": icon, "tone": tone, "at": at, "by": by}
        for title, icon, tone, at, by in rows
        if at is not None
    ]


@staff_page(p.SETTLEMENTS_VIEW)
def download(request: StaffRequest, number: str, kind: str) -> HttpResponseBase:
    """Send a statement as CSV or XLSX."""
    if kind not in _FILES:
        raise NotFoundError
    statement = queries.get_statement(number=number)
    content_type, write = _FILES[kind]
    answer = StreamingHttpResponse(
        write(statement=statement, language=get_language() or "en"), content_type=content_type
    )
    answer["Content-Disposition"] = f'attachment; filename="{statement.number}.{kind}"'
    answer["Cache-Control"] = "no-store"
    return answer


@staff_page(p.SETTLEMENTS_EDIT, methods=("POST",))
def start(request: StaffRequest, month: str) -> HttpResponse:
    """Start the job that makes a month's missing statements."""
    operations.request_statements(month=_month(month), by=request.actor, at=clock.now())
    return finish(
        request,
        _("The statements are being made."),
        changed="settlements",
        url=reverse("console:settlements"),
    )


@staff_page(p.SETTLEMENTS_EDIT, methods=("POST",))
def send_all(request: StaffRequest, month: str) -> HttpResponse:
    """Send every draft of a month to its partner."""
    sent = operations.send_all(month=_month(month), by=request.actor, at=clock.now())
    return finish(
        request,
        _("%(count)d statements sent.") % {"count": sent},
        changed="settlements",
        url=reverse("console:settlements"),
    )


@staff_page(p.SETTLEMENTS_EDIT, methods=("POST",))
def send(request: StaffRequest, number: str) -> HttpResponse:
    """Send a draft to its partner."""
    statement = queries.get_statement(number=number)
    operations.send(statement=statement, by=request.actor, at=clock.now())
    return finish(request, _("Sent."), changed="settlements", url=url_of(statement))


@staff_page(p.SETTLEMENTS_APPROVE, methods=("POST",))
def approve(request: StaffRequest, number: str) -> HttpResponse:
    """Approve a statement for payment."""
    statement = queries.get_statement(number=number)
    operations.approve(statement=statement, by=request.actor, at=clock.now())
    return finish(request, _("Approved."), changed="settlements", url=url_of(statement))


@staff_page(p.SETTLEMENTS_VIEW)
def account(request: StaffRequest, code: str) -> HttpResponse:
    """Show what was paid ahead to a partner and where it went."""
    partner = get_partner(code=code)
    found = prepaid.list_floats(at=clock.now(), partners=[partner.pk])
    context = {
        **shell(request, active="settlements"),
        "page_title": _("Paid ahead"),
        "page_pretitle": partner.name,
        "partner": partner,
        "prepaid": found[0] if found else None,
        "entries": queries.list_prepaid(partner_id=partner.pk),
    }
    return render_page(request, "console/prepaid.html", context, partial="account")


def _month(text: str) -> date:
    try:
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise NotFoundError from None


def url_of(statement: Statement) -> str:
    """Return the address of a statement's page."""
    return reverse("console:statement", args=[statement.number])

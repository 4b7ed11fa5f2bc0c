"""Wallets and their rules, what outstanding points are worth, adjustments that need consent."""

from datetime import timedelta
from typing import Any

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, refuse, show_form
from console.member_forms import ReasonForm
from console.nav import shell
from console.wallet_forms import FORMS, ExpiryForm, NewWalletForm, initial_of
from console.wallet_words import expiry_preview, sections_of
from core import clock
from core.errors import DomainError
from core.web.charts import Chart, Series
from core.web.responses import render_page
from members.points import operations, queries
from members.points.models import AdjustmentRequest, LiabilityDay, Wallet
from members.profiles.queries import list_members_by_id
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

PAGE = 30
SPANS = {"30": 30, "90": 90, "365": 365}


@staff_page(p.WALLETS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show what outstanding points are worth, and the wallets."""
    today = clock.today(current_brand().timezone)
    span = request.GET.get("days", "90")
    span = span if span in SPANS else "90"
    wallets = queries.list_wallets()
    chosen = next((w for w in wallets if w.code == request.GET.get("wallet")), wallets[0])
    days = queries.list_liability(
        wallet=chosen.code, since=today - timedelta(days=SPANS[span]), until=today
    )
    context: dict[str, Any] = {
        **shell(request, active="wallets"),
        "page_title": _("Points and liability"),
        "wallets": [{"wallet": row, "sections": sections_of(row, today=today)} for row in wallets],
        "chosen": chosen,
        "span": span,
        "spans": list(SPANS.items()),
        "last": days[-1] if days else None,
        "before": days[0] if len(days) > 1 else None,
        "waiting": queries.count_requests(),
        "points_chart": _points_chart(days),
        "flow_chart": _flow_chart(days),
    }
    return render_page(request, "console/wallets.html", context, partial="body")


def _points_chart(days: list[LiabilityDay]) -> Chart:
    return Chart(
        kind="area",
        labels=[f"{row.on_date:%Y-%m-%d}" for row in days],
        series=[
            Series(_("Outstanding"), [row.outstanding for row in days]),
            Series(_("Expected never to be used"), [row.breakage for row in days], role="previous"),
        ],
    )


def _flow_chart(days: list[LiabilityDay]) -> Chart:
    return Chart(
        kind="bar",
        labels=[f"{row.on_date:%Y-%m-%d}" for row in days],
        series=[
            Series(_("Issued"), [row.issued for row in days], role="good"),
            Series(_("Spent"), [row.spent for row in days]),
            Series(_("Expired"), [row.expired for row in days], role="bad"),
        ],
    )


@staff_page(p.WALLETS_VIEW)
def show(request: StaffRequest, code: str) -> HttpResponse:
    """Show a wallet's rules in plain words."""
    wallet = queries.get_wallet(wallet=code)
    context = {
        **shell(request, active="wallets"),
        "page_title": wallet.label,
        "page_pretitle": _("Wallet"),
        "wallet": wallet,
        "sections": sections_of(wallet, today=clock.today(current_brand().timezone)),
    }
    return render_page(request, "console/wallet.html", context, partial="body")


@staff_page(p.WALLETS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Make another wallet."""
    form = NewWalletForm(request.POST or None)
    title = _("New wallet")
    lead = _("Every member has an account in it from the start; its rules come next.")
    if not form.is_valid():
        return show_form(request, form, title=title, active="wallets", lead=lead)
    try:
        wallet = operations.create_wallet(
            code=form.cleaned_data["code"],
            name=form.cleaned_data["name"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="wallets", lead=lead)
    return lead_on(
        request, _("The wallet is there."), url=reverse("console:wallet", args=[wallet.code])
    )


@staff_page(p.WALLETS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str, part: str) -> HttpResponse:
    """Change one part of a wallet's rules, from now on."""
    wallet = queries.get_wallet(wallet=code)
    if part not in FORMS:
        raise Http404
    form_class = FORMS[part]
    form = form_class(request.POST or None, initial=initial_of(wallet, form_class))
    if not form.is_valid():
        return _show_rules(request, wallet, form)
    try:
        operations.change_wallet(
            wallet=code,
            by=request.actor,
            at=clock.now(),
            **getattr(form, "rules", form.cleaned_data),
        )
    except DomainError as error:
        refuse(form, error)
        return _show_rules(request, wallet, form)
    url = reverse("console:wallet", args=[code])
    return finish(request, _("The rules hold from now on."), changed="wallet", url=url)


def _show_rules(request: StaffRequest, wallet: Wallet, form: forms.Form) -> HttpResponse:
    title, lead = wallet.label, _("Rules hold from now on; points that members have keep theirs.")
    if not isinstance(form, ExpiryForm):
        return show_form(request, form, title=title, active="wallets", lead=lead)
    context = {
        **shell(request, active="wallets"),
        "page_title": title,
        "form": form,
        "lead": lead,
        "action": request.get_full_path(),
        "preview": _preview_of(form),
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(
        request, "console/wallet_expiry.html", context, partial="form", status=status
    )


@staff_page(p.WALLETS_EDIT)
def preview(request: StaffRequest) -> HttpResponse:
    """Say until when points earned today would be good, while the form is filled in."""
    form = ExpiryForm(request.GET)
    context = {
        **shell(request, active="wallets"),
        "page_title": _("Expiry"),
        "form": form,
        "preview": _preview_of(form),
        "action": request.path,
        "lead": "",
    }
    return render_page(request, "console/wallet_expiry.html", context, partial="preview")


def _preview_of(form: forms.Form) -> str:
    policy = form["expiry_policy"].value()
    months = str(form["expiry_months"].value() or "0")
    needs_months = policy in {Wallet.ExpiryPolicy.MONTHS, Wallet.ExpiryPolicy.INACTIVITY}
    if policy not in Wallet.ExpiryPolicy.values or not months.isdigit() or int(months) > 600:
        return ""
    if needs_months and int(months) == 0:
        return _("Say after how many months.")
    today = clock.today(current_brand().timezone)
    return expiry_preview(policy=policy, months=int(months), today=today)


# --- consent ---------------------------------------------------------------------------------------


@staff_page(p.WALLETS_VIEW)
def requests(request: StaffRequest) -> HttpResponse:
    """List adjustments that wait for consent, and those decided."""
    state = request.GET.get("state", "pending")
    state = state if state in {"pending", "all"} else "pending"
    after = request.GET.get("after", "")
    found = queries.list_requests(
        state=AdjustmentRequest.State.PENDING if state == "pending" else None,
        before=int(after) if after.isdigit() else None,
        limit=PAGE + 1,
    )
    shown = found[:PAGE]
    members = list_members_by_id(ids={row.owner_id for row in shown})
    me = operations.person_behind(request.actor)
    context = {
        **shell(request, active="wallets"),
        "page_title": _("Adjustments that need consent"),
        "rows": [
            {
                "request": row,
                "member": members.get(row.owner_id),
                "is_own": row.asked_person == me,
            }
            for row in shown
        ],
        "tabs": [
            {"url": "?state=pending", "label": _("Waiting"), "active": state == "pending"},
            {"url": "?state=all", "label": _("All"), "active": state == "all"},
        ],
        "next": str(shown[-1].pk) if len(found) > PAGE else "",
    }
    return render_page(request, "console/adjustments.html", context, partial="rows")


def _finish(request: StaffRequest, message: str) -> HttpResponse:
    return finish(
        request, message, changed=("adjustments", "member"), url=reverse("console:adjustments")
    )


@staff_page(p.POINTS_APPROVE, methods=("POST",))
def approve(request: StaffRequest, request_id: int) -> HttpResponse:
    """Consent to an adjustment that somebody else asked for."""
    operations.approve_adjustment(request_id=request_id, by=request.actor, at=clock.now())
    return _finish(request, _("The balance is adjusted."))


@staff_page(p.POINTS_APPROVE, methods=("GET", "POST"))
def refuse_request(request: StaffRequest, request_id: int) -> HttpResponse:
    """Refuse an adjustment that somebody else asked for, with a reason."""
    form = ReasonForm(request.POST or None)
    title = _("Refuse this adjustment")
    if not form.is_valid():
        return show_form(
            request, form, title=title, active="wallets", submit=_("Refuse"), tone="danger"
        )
    try:
        operations.refuse_adjustment(
            request_id=request_id,
            note=form.cleaned_data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(
            request, form, title=title, active="wallets", submit=_("Refuse"), tone="danger"
        )
    return _finish(request, _("The request is refused."))


@staff_page(p.POINTS_ADJUST, methods=("POST",))
def withdraw(request: StaffRequest, request_id: int) -> HttpResponse:
    """Take back a request of one's own."""
    operations.withdraw_adjustment(request_id=request_id, by=request.actor, at=clock.now())
    return _finish(request, _("The request is taken back."))

"""The operator's pages: brands and background work of the whole platform."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.platform.forms import BrandForm
from config.platform.links import brand_url
from config.platform.operations import open_brand
from core import clock
from core.errors import DomainError
from tenants.accounts.queries import actor_of
from tenants.brands.models import Brand
from tenants.brands.operations import reactivate_brand, suspend_brand
from tenants.brands.queries import get_brand, list_brands
from tenants.jobs.models import Job
from tenants.jobs.operations import retry_job
from tenants.jobs.queries import last_heartbeat, list_all_jobs, queue_state

View = Callable[..., HttpResponse]


def operator_page(view: View) -> View:
    """Let operators in only: users of the schema `public`, which holds nobody else."""

    @wraps(view)
    @login_required
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return view(request, *args, **kwargs)

    return guarded


@require_safe
@operator_page
def brands(request: HttpRequest) -> HttpResponse:
    """All brands."""
    rows = [
        {
            "brand": brand,
            "portal": brand_url(brand, request=request),
            "is_active": brand.status == Brand.Status.ACTIVE,
        }
        for brand in list_brands(active_only=False)
    ]
    context = _shell(request, "operator_brands", _("Brands")) | {"rows": rows}
    return render(request, "platform/brands.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def create(request: HttpRequest) -> HttpResponse:
    """Make a brand with its owner."""
    form = BrandForm(request.POST or None, initial={"timezone": "UTC", "currency": "USD"})
    if request.method == "POST" and form.is_valid():
        try:
            brand = open_brand(facts=form.facts, by=actor_of(request), at=clock.now())
        except DomainError as refusal:
            field = str(refusal.data.get("pointer", "/slug")).removeprefix("/")
            form.add_error(field if field in form.fields else None, refusal.detail)
        else:
            messages.success(request, _("%(name)s is open.") % {"name": brand.name})
            return redirect("operator_brands")
    context = _shell(request, "operator_brands", _("New brand")) | {"form": form}
    return render(request, "platform/create.html", context, status=422 if form.errors else 200)


@require_POST
@operator_page
def suspend(request: HttpRequest, slug: str) -> HttpResponse:
    """Stop serving a brand."""
    brand = get_brand(slug=slug)
    suspend_brand(brand=brand, by=actor_of(request), at=clock.now())
    messages.success(request, _("%(name)s is suspended.") % {"name": brand.name})
    return redirect("operator_brands")


@require_POST
@operator_page
def reactivate(request: HttpRequest, slug: str) -> HttpResponse:
    """Serve a suspended brand again."""
    brand = get_brand(slug=slug)
    reactivate_brand(brand=brand, by=actor_of(request), at=clock.now())
    messages.success(request, _("%(name)s is active again.") % {"name": brand.name})
    return redirect("operator_brands")


@require_safe
@operator_page
def jobs(request: HttpRequest) -> HttpResponse:
    """The queue, and the newest jobs of all brands."""
    state = request.GET.get("state", "")
    chosen = state if state in Job.State.values else None
    context = _shell(request, "operator_jobs", _("Background work")) | {
        "queue": queue_state(at=clock.now()),
        "seen_at": last_heartbeat("sweeper"),
        "jobs": list_all_jobs(state=chosen),
        "state": chosen or "",
        "states": Job.State.choices,
    }
    return render(request, "platform/jobs.html", context)


@require_POST
@operator_page
def retry(request: HttpRequest, job_id: int) -> HttpResponse:
    """Start a failed or cancelled job afresh."""
    retry_job(job_id=job_id, by=actor_of(request), at=clock.now())
    messages.success(request, _("The job will start again in a moment."))
    return redirect("operator_jobs")


def _shell(request: HttpRequest, active: str, title: str) -> dict[str, Any]:
    items = (
        ("operator_brands", "building-store", _("Brands")),
        ("operator_jobs", "activity", _("Background work")),
    )
    return {
        "page_title": title,
        "home_url": reverse("operator_brands"),
        "nav": [
            {"url": reverse(name), "icon": icon, "label": label, "active": name == active}
            for name, icon, label in items
        ],
        "account": {"name": str(request.user), "role": _("Operator"), "menu": []},
    }

"""The simulator: a draft of the tiers, tried out on the real members before anything is stored."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from console.access import StaffRequest, staff_page
from console.nav import shell
from console.tier_forms import SchemeForm
from core import clock
from core.errors import DomainError
from core.web.charts import Chart, Flow
from core.web.responses import is_fragment, render_page
from members.tiers import queries
from members.tiers.models import Tier, TierScheme, TierSimulation
from members.tiers.operations import start_simulation
from members.tiers.simulation import Simulation
from members.tiers.simulations import draft_of, found_by, get_simulation
from members.tiers.values import SchemeDraft
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand
from tenants.jobs.models import Job
from tenants.jobs.queries import get_job

# htmx stops asking when an answer has this status.
_STOP_POLLING = 286


@staff_page(p.TIERS_VIEW, methods=("GET", "POST"))
def index(request: StaffRequest) -> HttpResponse:
    """Ask for a draft to be tried out: who would move where, and what a month would cost."""
    scheme = _source(request)
    tiers = queries.list_scheme_tiers(scheme=scheme) if scheme is not None else []
    form = SchemeForm(request.POST or None, scheme=scheme, tiers=tiers)
    outcome: dict[str, Any] = {}
    if form.is_valid():
        facts = form.facts()
        try:
            made = start_simulation(
                draft=SchemeDraft(**{**facts, "tiers": tuple(facts["tiers"])}),
                by=request.actor,
                at=clock.now(),
            )
        except DomainError as error:
            form.place(error)
        else:
            if not is_fragment(request):
                return redirect("console:tier_simulation", made.pk)
            outcome = _outcome(made)
    context = {**_page(request, form, scheme), **outcome}
    status = 422 if form.is_bound and form.errors else 200
    return render_page(
        request, "console/tier_simulator.html", context, partial="simulator", status=status
    )


@staff_page(p.TIERS_VIEW)
def show(request: StaffRequest, simulation_id: int) -> HttpResponse:
    """Show how far a simulation is, then what it found; the status says when it has ended."""
    simulation = get_simulation(simulation_id=simulation_id)
    outcome = _outcome(simulation)
    form = None
    if not is_fragment(request):
        draft = draft_of(simulation=simulation)
        scheme = TierScheme(**{name: getattr(draft, name) for name in _SCHEME_FIELDS})
        tiers = [
            Tier(**{name: getattr(tier, name) for name in _TIER_FIELDS}) for tier in draft.tiers
        ]
        form = SchemeForm(scheme=scheme, tiers=tiers)
    status = 200 if outcome["is_moving"] or not is_fragment(request) else _STOP_POLLING
    context = {**_page(request, form, None), **outcome}
    return render_page(
        request, "console/tier_simulator.html", context, partial="outcome", status=status
    )


_SCHEME_FIELDS = ("metric", "window", "window_months", "downgrade_policy", "notice_days")
_TIER_FIELDS = (
    "code", "name", "entry_threshold", "keep_threshold", "multiplier_bp", "grace_days",
)  # fmt: skip


def _page(
    request: StaffRequest, form: SchemeForm | None, scheme: TierScheme | None
) -> dict[str, Any]:
    return {
        **shell(request, active="tiers"),
        "page_title": _("Simulator"),
        "page_pretitle": _("Tiers"),
        "form": form,
        "scheme": scheme,
        "action": reverse("console:tier_simulator")
        if form is None or scheme is None
        else request.get_full_path(),
    }


def _outcome(simulation: TierSimulation) -> dict[str, Any]:
    found = found_by(simulation=simulation)
    if found is not None:
        return {"simulation": simulation, "is_moving": False, **_shown(found)}
    job = get_job(job_id=simulation.job_id or 0)
    return {
        "simulation": simulation,
        "is_moving": job.state in {Job.State.OPEN, Job.State.RUNNING},
        "bar_done": job.progress_done,
        "bar_total": job.progress_total or 0,
    }


def _source(request: StaffRequest) -> TierScheme | None:
    version = request.GET.get("version", "")
    if version.isdigit():
        return queries.get_scheme_version(version=int(version))
    return queries.get_scheme(on=clock.today(current_brand().timezone))


def _shown(found: Simulation) -> dict[str, Any]:
    language = get_language()
    old = [localized(tier.name, language) for tier in found.old_tiers] or [_("No tier")]
    new = [localized(dict(tier.name), language) for tier in found.draft.tiers]
    before, then = _("now"), _("then")
    flows = [
        Flow(
            f"{old[move.old_rank - 1]}·{before}",
            f"{new[move.new_rank - 1]}·{then}",
            move.members,
        )
        for move in found.moves
    ]
    cells = {(move.old_rank, move.new_rank): move.members for move in found.moves}
    sizes = {tier.code: found.size_now(tier.rank) for tier in found.old_tiers}
    return {
        "found": found,
        "chart": Chart(kind="sankey", flows=flows, unit="number"),
        "columns": new,
        "matrix": [
            {
                "name": name,
                "cells": [
                    {"members": cells.get((rank, to), 0), "is_same": name == column}
                    for to, column in enumerate(new, start=1)
                ],
                "total": found.size_now(rank),
            }
            for rank, name in enumerate(old, start=1)
        ],
        "totals": [found.size_then(rank) for rank in range(1, len(new) + 1)],
        "sizes": [
            {"name": name, "now": sizes.get(tier.code), "then": found.size_then(rank)}
            for rank, (name, tier) in enumerate(zip(new, found.draft.tiers, strict=True), start=1)
        ],
        "change_minor": found.then_minor - found.now_minor,
        "ratio_now": found.ratio(found.now_minor),
        "ratio_then": found.ratio(found.then_minor),
        "line": found.yardstick.line_bp / 10_000,
    }

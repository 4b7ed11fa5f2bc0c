"""The simulator: a draft of the tiers, tried out on the real members before anything is stored."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue.texts import localized
from console.access import StaffRequest, staff_page
from console.nav import shell
from console.tier_forms import SchemeForm
from core import clock
from core.errors import DomainError
from core.web.charts import Chart, Flow
from core.web.responses import render_page
from members.tiers import queries
from members.tiers.models import TierScheme
from members.tiers.simulation import Simulation, simulate
from members.tiers.values import SchemeDraft
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand


@staff_page(p.TIERS_VIEW, methods=("GET", "POST"))
def index(request: StaffRequest) -> HttpResponse:
    """Try a draft out: who would move where, and what a month would cost. Nothing is stored."""
    scheme = _source(request)
    tiers = queries.list_scheme_tiers(scheme=scheme) if scheme is not None else []
    form = SchemeForm(request.POST or None, scheme=scheme, tiers=tiers)
    context: dict[str, Any] = {
        **shell(request, active="tiers"),
        "page_title": _("Simulator"),
        "page_pretitle": _("Tiers"),
        "form": form,
        "scheme": scheme,
        "action": request.get_full_path(),
    }
    if form.is_valid():
        facts = form.facts()
        try:
            found = simulate(
                draft=SchemeDraft(**{**facts, "tiers": tuple(facts["tiers"])}), at=clock.now()
            )
        except DomainError as error:
            form.place(error)
        else:
            context |= _shown(found)
    status = 422 if form.is_bound and form.errors else 200
    return render_page(
        request, "console/tier_simulator.html", context, partial="simulator", status=status
    )


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

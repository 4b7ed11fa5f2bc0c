"""The catalogue: benefits by stage, one benefit with its measures, packages."""

from typing import Any

from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from benefits.catalogue import queries
from benefits.catalogue.kinds import KINDS
from benefits.catalogue.models import Benefit
from benefits.insights.queries import latest_penetration
from console.access import StaffRequest, staff_page
from console.nav import shell
from core import clock
from core.web.responses import render_page
from tenants.accounts import permissions as p


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """Show the benefits as a board by stage, each with its penetration of the last month."""
    context = {
        **shell(request, active="benefits"),
        "page_title": _("Benefits"),
        "columns": _columns(),
    }
    return render_page(request, "console/benefits.html", context, partial="board")


def _columns() -> list[dict[str, Any]]:
    shares = latest_penetration(at=clock.now())
    language = get_language()
    by_stage: dict[str, list[dict[str, Any]]] = {stage: [] for stage in Benefit.Stage.values}
    for benefit in queries.list_benefits():
        by_stage[benefit.stage].append(
            {
                "benefit": benefit,
                "name": queries.localized(benefit.name, language),
                "kind": KINDS[benefit.kind].label,
                "penetration": shares.get(benefit.pk),
            }
        )
    return [
        {"stage": stage, "label": label, "cards": by_stage[stage]}
        for stage, label in Benefit.Stage.choices
    ]

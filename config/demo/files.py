"""What a visitor of the demo needs: addresses, sign-ins, keys; written to `.data/demo.json`."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

from config.demo.programme import Programme
from config.demo.specs import BrandSpec
from members.profiles.models import Member

SHOWN_MEMBERS = 5


@dataclass(frozen=True, slots=True)
class BrandFacts:
    """One brand's sign-ins and keys."""

    slug: str
    name: str
    api_key: str
    staff: list[dict[str, str]]
    members: list[dict[str, str]]
    partners: list[dict[str, str]]

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)


def facts_of(spec: BrandSpec, made: Programme) -> BrandFacts:
    """Return the facts of a brand just told: its staff, some members of high tiers, its keys."""
    members = (
        Member.objects.filter(
            status=Member.Status.ACTIVE, personal__email__gt="", tier_state__isnull=False
        )
        .select_related("personal")
        .order_by("-tier_state__tier__rank", "-tier_state__metric_value", "pk")[:SHOWN_MEMBERS]
    )
    return BrandFacts(
        slug=spec.slug,
        name=spec.name,
        api_key=made.api_key,
        staff=[{"role": row.role, "email": row.user.email} for row in made.staff.values()],
        members=[{"number": m.number, "email": m.personal.email} for m in members],
        partners=[
            {"name": partner.name, "api_key": made.partner_keys[code]}
            for code, partner in made.partners.items()
        ],
    )


def _root(slug: str = "") -> str:
    host = f"{slug}.{settings.PLATFORM_HOST}" if slug else settings.PLATFORM_HOST
    return f"{settings.PUBLIC_SCHEME}://{host}:{settings.PUBLIC_PORT}"


def write_demo_file(brands: list[BrandFacts], *, operator: str) -> Path:
    """Write `.data/demo.json`, readable by its owner only; returns its path."""
    body = {
        "brands": [
            {
                "slug": brand.slug,
                "name": brand.name,
                "portal": f"{_root(brand.slug)}/",
                "console": f"{_root(brand.slug)}/console/",
                "api_key": brand.api_key,
                "staff": brand.staff,
                "members": brand.members,
                "partners": brand.partners,
            }
            for brand in brands
        ],
        "operator": {"email": operator, "url": f"{_root()}/operator/"},
        "outbox": f"{_root()}/outbox/",
    }
    path = Path(settings.DATA_DIR) / "demo.json"
    path.touch(mode=0o600)
    path.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n")
    return path

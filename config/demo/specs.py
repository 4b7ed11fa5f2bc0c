"""What a demo brand is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Text = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSpec:
    """One tier: entry and keep thresholds in growth."""

    code: str
    name: Text
    entry: int
    keep: int
    multiplier_bp: int
    colour: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BenefitSpec:
    """One benefit, and how often members who hold it use it (share a month)."""

    code: str
    kind: str
    channel: str
    name: Text
    summary: Text
    terms: Text
    icon: str
    category: str
    stage: str
    cost_minor: int
    list_price_minor: int
    usage: float
    parameters: dict[str, Any] = field(default_factory=dict)
    sla_hours: int | None = None
    linked_categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSpec:
    """A grant rule; `budget` names its line."""

    code: str
    name: str
    benefit: str = ""
    package: str = ""
    cadence: str = "monthly"
    condition: dict[str, Any] = field(default_factory=dict)
    quantity: int = 1
    hold_out_bp: int = 0
    budget: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemSpec:
    """Something in the mall."""

    code: str
    kind: str
    name: Text
    summary: Text
    icon: str
    category: str
    points: int
    cost_minor: int
    stock: int | None = None
    limit: int | None = None
    benefit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarSpec:
    """A benefit used by appointment in all stores: hours as (weekday, from, to) on the clock."""

    benefit: str
    slot_minutes: int
    capacity: int
    hours: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerSpec:
    """A partner with one price for each benefit it delivers."""

    code: str
    name: str
    contact: str
    prices: Mapping[str, int]
    regions: tuple[str, ...]
    capacity: int
    accepts: float = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSpec:
    """A budget line and its share of what can be planned, in basis points."""

    code: str
    name: str
    kind: str
    share_bp: int
    target: str = ""
    policy: str = "refuse"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrandSpec:
    """One demo brand. Amounts in minor units of its currency."""

    slug: str
    name: str
    locale: str
    timezone: str
    currency: str
    colour: str
    logo: str
    members: int
    names: tuple[tuple[str, ...], tuple[str, ...]]
    joiner: str
    regions: tuple[str, ...]
    stores: tuple[tuple[str, str, str], ...]
    associates: tuple[str, ...]
    categories: tuple[tuple[str, str, int, int], ...]
    tiers: tuple[TierSpec, ...]
    points_per_unit: int
    unit_minor: int
    cost_per_point_micro: int
    benefits: tuple[BenefitSpec, ...]
    package: tuple[str, Text, tuple[tuple[str, int], ...]]
    rules: tuple[RuleSpec, ...]
    items: tuple[ItemSpec, ...]
    partners: tuple[PartnerSpec, ...]
    budget_name: str
    budget_minor: int
    lines: tuple[LineSpec, ...]
    staff: tuple[tuple[str, str], ...]
    calendars: tuple[CalendarSpec, ...] = ()
    cdnow: bool = False
    draw_reason: tuple[str, str] = ("", "")

"""The fields of conditions that this room knows: use of a benefit, the last answer to NPS."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import localized
from members.segments.activity_fields import Args, days_argument, since_sql
from members.segments.conditions import (
    Argument,
    Field,
    FieldType,
    Group,
    Source,
    Template,
    literal,
    register_field,
    register_source,
    register_template,
)


def _benefit_names() -> Mapping[str, str | Promise]:
    language = get_language()
    rows = Benefit.objects.order_by("code").values_list("code", "name")
    return {code: localized(name, language) or code for code, name in rows}


def _used(args: Args, alias: str) -> tuple[str, str]:
    # As penetration counts: asked for, and not cancelled or failed.
    return f"({alias}.member_id IS NOT NULL)", (
        "LEFT JOIN (SELECT DISTINCT redemption.member_id FROM benefits_redemption AS redemption "  # noqa: S608
        "JOIN benefits_benefit AS benefit ON benefit.id = redemption.benefit_id "
        f"WHERE benefit.code = {literal(str(args['benefit']))} "
        f"AND redemption.requested_at >= {since_sql(args['days'])} "
        "AND redemption.requested_at <= %(at)s "
        f"AND redemption.state NOT IN ('cancelled', 'failed')) AS {alias} "
        f"ON {alias}.member_id = member.id"
    )


def register() -> None:
    """Put them into the catalogue; called once at start."""
    register_source(
        Source(
            name="nps",
            sql=(
                "LEFT JOIN (SELECT DISTINCT ON (member_id) member_id, nps FROM benefits_redemption "
                "WHERE nps IS NOT NULL ORDER BY member_id, rated_at DESC, id DESC) AS nps "
                "ON nps.member_id = member.id"
            ),
        )
    )
    register_field(
        Field(
            name="nps_last_score",
            type=FieldType.INTEGER,
            label=_("Last NPS answer"),
            help=_("From 0 to 10; not known when the member never answered."),
            group=Group.BENEFITS,
            sql="nps.nps::int",
            source="nps",
            low=0,
            high=10,
        )
    )
    register_template(
        Template(
            name="used_benefit",
            type=FieldType.BOOLEAN,
            label=_("Used a benefit"),
            help=_("Asked for in that time, and neither cancelled nor failed."),
            group=Group.BENEFITS,
            arguments=(
                Argument(name="benefit", label=_("Benefit"), names=_benefit_names, is_closed=True),
                days_argument(),
            ),
            phrases=(
                _("has used %(benefit)s in the last %(days)s"),
                _("has not used %(benefit)s in the last %(days)s"),
            ),
            bind=_used,
        )
    )

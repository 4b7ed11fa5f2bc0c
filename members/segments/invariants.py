"""Checks that can be run on a brand at any time (DOMAIN §10)."""

from collections.abc import Callable

from django.db import connection, transaction

from members.segments._scores import compare_statement
from members.segments.models import LateActivity
from members.segments.queries import get_last_run, get_scheme
from tenants.brands.context import current_brand


def check_scores() -> list[str]:
    """Hold the stored scores against a computation over all days, as of the last run.

    Purchases with late days are waited for by the next run, and so is another way to score; until
    then there is nothing to say.
    """
    run, scheme = get_last_run(), get_scheme()
    if run is None or LateActivity.objects.exists() or run.scheme not in {"", scheme.digest}:
        return []
    statement, params = compare_statement(
        as_of=run.as_of, zone=current_brand().timezone, scheme=scheme
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', '600s', true)")
        cursor.execute(statement, params)
        return [f"member {row[0]}: stored score differs from its days" for row in cursor.fetchall()]


CHECKS: dict[str, Callable[[], list[str]]] = {"segments.scores": check_scores}

"""Celery tasks that need rooms which do not know one another."""

from celery import shared_task
from django.db import connection

from core import clock
from tenants.audit import operations as audit
from tenants.brands.queries import list_brands
from tenants.jobs.publishing import publish
from tenants.jobs.tasks import BrandTask, PlatformTask

SEAL_TASK = "audit.seal"
_SCHEMAS_PER_QUERY = 200


@shared_task(base=BrandTask, name=SEAL_TASK)
def seal_audit() -> None:
    """Add the brand's new audit entries to its hash chain."""
    audit.seal(at=clock.now())


@shared_task(base=PlatformTask, name="platform.seal_audits")
def seal_audits() -> None:
    """Ask for the audits with unsealed entries to be sealed: one query for many brands."""
    schemas = [brand.schema_name for brand in list_brands(active_only=False)]
    quote = connection.ops.quote_name
    for first in range(0, len(schemas), _SCHEMAS_PER_QUERY):
        some = schemas[first : first + _SCHEMAS_PER_QUERY]
        query = " UNION ALL ".join(
            f"SELECT %s WHERE coalesce((SELECT max(id) FROM {quote(schema)}.audit_auditentry), 0)"  # noqa: S608
            f" > coalesce((SELECT max(entry_id) FROM {quote(schema)}.audit_auditseal), 0)"
            for schema in some
        )
        with connection.cursor() as cursor:
            cursor.execute(query, some)
            for (schema,) in cursor.fetchall():
                publish(SEAL_TASK, schema=schema)

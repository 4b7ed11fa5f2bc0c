"""Celery tasks of this room, and the two bases of all tasks.

A task that works for a brand derives from `BrandTask`: without the brand's schema in its headers
it raises, and never falls back to `public`. Tasks of the platform itself say so.
"""

from typing import Any

from celery import shared_task
from tenant_schemas_celery.task import TenantTask

from core import clock
from tenants.brands.context import PUBLIC, NoBrandError, platform_context, tenant_context
from tenants.brands.models import Brand
from tenants.jobs import operations


class BrandTask(TenantTask):  # type: ignore[misc]  # the library has no types
    """A task inside one brand's schema, named by the message's header."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        schema = _schema_of(self.request)
        if not schema or schema == PUBLIC:
            raise NoBrandError(f"{self.name} came without a brand.")
        with platform_context():
            brand = Brand.objects.filter(schema_name=schema).first()
        if brand is None:
            raise NoBrandError(f"{self.name} came for a schema that is no brand's.")
        with tenant_context(brand):
            return self.run(*args, **kwargs)


class PlatformTask(TenantTask):  # type: ignore[misc]  # the library has no types
    """A task of the platform itself, in the schema `public`."""

    abstract = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if _schema_of(self.request) not in {None, "", PUBLIC}:
            raise NoBrandError(f"{self.name} belongs to the platform, not to a brand.")
        with platform_context():
            return self.run(*args, **kwargs)


def _schema_of(request: Any) -> str | None:
    headers = request.headers or {}
    found: str | None = headers.get("_schema_name") or request.get("_schema_name")
    return found


@shared_task(base=BrandTask, name=operations.RUN_TASK)
def run_job(*, job_id: int) -> None:
    """Run one job, if it is due and nobody else holds it."""
    operations.run_job(job_id=job_id, at=clock.now())


@shared_task(base=PlatformTask, name="jobs.tick")
def tick() -> None:
    """Make the rows of all scheduled jobs that have fallen due."""
    operations.tick(at=clock.now())


@shared_task(base=PlatformTask, name="jobs.sweep")
def sweep() -> None:
    """Re-open jobs of dead workers and publish what is due."""
    operations.sweep(at=clock.now())

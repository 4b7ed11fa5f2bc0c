"""What this room puts into the registries of lower rooms."""

from django.conf import settings

from benefits.mall import handlers, jobs, member_data, segment_uses
from benefits.mall.draws import jobs as draw_jobs
from benefits.mall.payments.providers import register_provider
from benefits.mall.payments.testing import TestProvider
from members.segments.usage import register_user


def register() -> None:
    """Register everything; called once when the application is ready."""
    jobs.register()
    draw_jobs.register()
    member_data.register()
    register_user(segment_uses.find_uses)
    handlers.register()
    # It hands goods out for nothing.
    if settings.MODE != "production":
        register_provider(TestProvider())

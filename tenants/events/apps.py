from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class EventsConfig(AppConfig):
    name = "tenants.events"
    label = "events"
    verbose_name = "Events"

    def ready(self) -> None:
        from tenants.events import operations
        from tenants.jobs.registry import daily, register_job

        register_job(
            "events.purge",
            title=_("Delete old events"),
            handler=operations.purge_job,
            schedule=daily(hour=4, minute=30),
        )

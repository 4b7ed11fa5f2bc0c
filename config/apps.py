from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"
    label = "config"
    verbose_name = "Configuration"

    def ready(self) -> None:
        # Imported, so that web processes publish through the application of the workers.
        from config import celery  # noqa: F401
        from config.platform import checks, outbox
        from members.profiles.registry import register_trace_step
        from tenants.brands import content_types

        content_types.take_over()
        checks.register_all()
        register_trace_step("mails", outbox.erase_mails)

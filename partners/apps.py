from django.apps import AppConfig


class PartnersConfig(AppConfig):
    name = "partners"
    label = "partners"
    verbose_name = "Partners"

    def ready(self) -> None:
        """Register what the rooms offer to lower ones."""
        from partners.adapters import registrations as adapters
        from partners.orders import merging  # noqa: F401
        from partners.orders.registrations import register
        from partners.pool import estimates
        from partners.settlements.registrations import register as register_settlements

        register()
        register_settlements()
        estimates.register()
        adapters.register()

from django.apps import AppConfig


class BenefitsConfig(AppConfig):
    name = "benefits"
    label = "benefits"
    verbose_name = "Benefits"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from benefits.grants import registrations as grants
        from benefits.mall import registrations as mall

        grants.register()
        mall.register()

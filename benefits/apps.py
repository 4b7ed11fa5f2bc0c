from django.apps import AppConfig


class BenefitsConfig(AppConfig):
    name = "benefits"
    label = "benefits"
    verbose_name = "Benefits"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from benefits import cards
        from benefits.budget import registrations as budget
        from benefits.grants import registrations as grants
        from benefits.insights import registrations as insights
        from benefits.mall import registrations as mall

        budget.register()
        grants.register()
        mall.register()
        insights.register()
        cards.register()

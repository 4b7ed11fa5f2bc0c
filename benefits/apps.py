from django.apps import AppConfig


class BenefitsConfig(AppConfig):
    name = "benefits"
    label = "benefits"
    verbose_name = "Benefits"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from benefits import cards
        from benefits.budget import registrations as budget
        from benefits.catalogue import jobs as catalogue
        from benefits.grants import merging as rights  # noqa: F401
        from benefits.grants import registrations as grants
        from benefits.insights import registrations as insights
        from benefits.mall import merging as orders  # noqa: F401
        from benefits.mall import registrations as mall
        from benefits.officers import registrations as officers
        from benefits.rules import segment_uses as rules
        from members.segments.usage import register_user

        catalogue.register()
        budget.register()
        grants.register()
        mall.register()
        officers.register()
        register_user(rules.find_uses)
        insights.register()
        cards.register()

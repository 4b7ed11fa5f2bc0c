from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "members"
    label = "members"
    verbose_name = "Members"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from members.activity import merging as purchases  # noqa: F401
        from members.activity import registrations as activity  # noqa: F401
        from members.earning import merging as earning_rows  # noqa: F401
        from members.earning import registrations as earning  # noqa: F401
        from members.imports import registrations as imports  # noqa: F401
        from members.merging import registrations as merging  # noqa: F401
        from members.points import registrations as points  # noqa: F401
        from members.profiles import registrations  # noqa: F401
        from members.segments import merging as scores  # noqa: F401
        from members.segments import registrations as segments  # noqa: F401
        from members.tiers import merging as tier_state  # noqa: F401
        from members.tiers import registrations as tiers  # noqa: F401

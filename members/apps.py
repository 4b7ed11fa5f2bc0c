from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "members"
    label = "members"
    verbose_name = "Members"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from members.activity import registrations as activity  # noqa: F401
        from members.earning import registrations as earning  # noqa: F401
        from members.points import registrations as points  # noqa: F401
        from members.profiles import registrations  # noqa: F401
        from members.segments import registrations as segments  # noqa: F401
        from members.tiers import registrations as tiers  # noqa: F401

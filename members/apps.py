from django.apps import AppConfig


class MembersConfig(AppConfig):
    name = "members"
    label = "members"
    verbose_name = "Members"

    def ready(self) -> None:
        """Register what the rooms offer to lower and higher ones."""
        from members.profiles import registrations  # noqa: F401

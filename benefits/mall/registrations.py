"""What this room puts into the registries of lower rooms."""

from benefits.mall import jobs, member_data


def register() -> None:
    """Register everything; called once when the application is ready."""
    jobs.register()
    member_data.register()

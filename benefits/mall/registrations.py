"""What this room puts into the registries of lower rooms."""

from benefits.mall import jobs, member_data, segment_uses
from members.segments.usage import register_user


def register() -> None:
    """Register everything; called once when the application is ready."""
    jobs.register()
    member_data.register()
    register_user(segment_uses.find_uses)

"""What this room puts into the registries of lower rooms, and its own built-in channels."""

from benefits.budget.points_cost import register_paid_elsewhere
from benefits.grants import _by_hand, _money, channels, fields, handlers, jobs, member_data


def register() -> None:
    """Register everything; called once when the application is ready."""
    _by_hand.register()
    channels.register()
    fields.register()
    handlers.register()
    jobs.register()
    member_data.register()
    register_paid_elsewhere(_money.points_paid)

"""What this room puts into the registries of lower rooms, and its own built-in channels."""

from benefits.grants import channels, fields, handlers, jobs, member_data


def register() -> None:
    """Register everything; called once when the application is ready."""
    channels.register()
    fields.register()
    handlers.register()
    jobs.register()
    member_data.register()

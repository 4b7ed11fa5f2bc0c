"""What this room puts into the registries of lower rooms, and its own built-in channels."""

from benefits.grants import channels, handlers, jobs


def register() -> None:
    """Register everything; called once when the application is ready."""
    channels.register()
    handlers.register()
    jobs.register()

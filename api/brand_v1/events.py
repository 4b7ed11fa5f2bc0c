"""`/events` of the brand API: read what happened, post what members did."""

from api.brand_v1.purchases import ActivityEvents
from api.webhooks import Events as EventFeed


class Events(EventFeed, ActivityEvents):
    """Both sides of `/events`."""

    scopes = {"GET": "events:read", "POST": "events:write"}

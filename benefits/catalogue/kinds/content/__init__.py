"""Content: access to something to read, watch, hear or attend."""

from collections.abc import Mapping
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from benefits.catalogue.errors import InvalidBenefitError
from benefits.catalogue.kinds.base import Parameters, PlainKind


class Content(PlainKind):
    """Access to content: a course, an issue, a seat at an event.

    Parameters: `url` (https), opened when it is used; `access_days` (optional), how long from
    then on. With codes of a pool the content's own system knows who may enter.
    """

    code: ClassVar[str] = "content"
    label: ClassVar[str | Promise] = _("Content or access")
    icon: ClassVar[str] = "key"
    channels: ClassVar[frozenset[str]] = frozenset({"instant", "code"})

    def validate(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Check `url` and `access_days`."""
        given = Parameters(parameters)
        url = given.text("url", longest=500)
        given.whole("access_days", minimum=1, maximum=3_650)
        if url and (urlsplit(url).scheme != "https" or not urlsplit(url).hostname):
            raise InvalidBenefitError(
                "An address that begins with https:// is needed.", pointer="/parameters/url"
            )
        return given.finish()

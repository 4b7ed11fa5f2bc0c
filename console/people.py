"""Who did something, in words: steps and history name actors by key, such as `staff:12`."""

from collections.abc import Iterable

from django.utils.translation import gettext as _

from tenants.accounts.queries import list_staff


def actor_names(keys: Iterable[str]) -> dict[str, str]:
    """Return a name for each actor's key; at most one query, none where no staff is named."""
    wanted = set(keys)
    staff = (
        {f"staff:{row.pk}": row.user.get_full_name() for row in list_staff()}
        if any(key.startswith("staff:") for key in wanted)
        else {}
    )
    kinds = {
        "system": _("Automatic"),
        "staff": _("Staff"),
        "member": _("The member"),
        "partner": _("The partner"),
        "api": _("The brand's system"),
        "operator": _("The operator"),
    }
    return {key: staff.get(key) or kinds.get(key.partition(":")[0], key) for key in wanted}

"""`makemessages`, which also sees texts marked `_l` (gettext_lazy beside gettext)."""

from django.core.management.commands import makemessages


class Command(makemessages.Command):
    """Collect the texts of the interface into locale/."""

    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_l"]

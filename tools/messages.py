"""Compile the translations: python tools/messages.py. Needs no gettext on the machine.

New texts are collected by `manage.py makemessages -l zh_Hans -l zh_Hant --no-location`, which
does need it (Debian: gettext).
"""

from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE = Path(__file__).resolve().parent.parent / "locale"


def main() -> None:
    """Write a .mo beside each .po that is newer."""
    for source in sorted(LOCALE.glob("*/LC_MESSAGES/*.po")):
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
            continue
        with source.open("rb") as lines:
            catalog = read_po(lines, locale=source.parts[-3])
        with target.open("wb") as out:
            write_mo(out, catalog)


if __name__ == "__main__":
    main()

"""Where files of imports lie: below the data folder, by brand and key, out of reach of the web."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

from django.conf import settings

from members.imports.errors import FileTooLargeError
from tenants.brands.context import current_schema

MAX_BYTES = 300 * 1024 * 1024


def folder_of(import_id: int) -> Path:
    """Return the folder of one import of the current brand."""
    return Path(settings.DATA_DIR) / "imports" / current_schema() / str(import_id)


def file_of(import_id: int) -> Path:
    """Return where the file itself lies."""
    return folder_of(import_id) / "file"


def problems_of(import_id: int) -> Path:
    """Return where the list of bad rows lies."""
    return folder_of(import_id) / "problems.csv"


def store(import_id: int, chunks: Iterable[bytes]) -> tuple[int, str]:
    """Write a file as it comes; return its size and SHA-256.

    :raises FileTooLargeError: past the limit; then nothing is left of it.
    """
    folder = folder_of(import_id)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    with file_of(import_id).open("wb") as out:
        for chunk in chunks:
            size += len(chunk)
            if size > MAX_BYTES:
                break
            digest.update(chunk)
            out.write(chunk)
    if size > MAX_BYTES:
        remove(import_id)
        raise FileTooLargeError(maximum=MAX_BYTES, pointer="/file")
    return size, digest.hexdigest()


def remove(import_id: int) -> None:
    """Remove all files of an import; none there is well too."""
    shutil.rmtree(folder_of(import_id), ignore_errors=True)

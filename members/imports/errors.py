"""What the imports room refuses."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class ImportNotFoundError(NotFoundError):
    """There is no such import."""

    code = "import_not_found"
    message = _("There is no such import.")


class FileTooLargeError(InvalidError):
    """The file passes the limit; `maximum` in the data is in bytes."""

    code = "file_too_large"
    message = _("The file is too large.")


class BadImportFileError(InvalidError):
    """The file as a whole can not be read; the text says why."""

    code = "bad_import_file"


class ImportStateError(ConflictError):
    """The import is at another point; `state` in the data says where."""

    code = "import_state"
    message = _("This import is at another point.")


class ImportFilesGoneError(ConflictError):
    """The file was removed, as it holds personal data."""

    code = "import_files_gone"
    message = _("The file was removed after its time. Upload it again.")

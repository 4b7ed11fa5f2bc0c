"""Refusals of the catalogue."""

from django.utils.translation import gettext_lazy as _

from core.errors import ConflictError, InvalidError, NotFoundError


class UnknownBenefitError(NotFoundError):
    """No benefit has this code."""

    code = "unknown_benefit"
    message = _("There is no such benefit.")


class UnknownPackageError(NotFoundError):
    """No package has this code."""

    code = "unknown_package"
    message = _("There is no such package.")


class UnknownPoolError(NotFoundError):
    """No pool of codes has this code."""

    code = "unknown_code_pool"
    message = _("There is no such pool of codes.")


class UnknownKindError(InvalidError):
    """No kind of benefit has this name."""

    code = "unknown_kind"
    message = _("There is no such kind of benefit.")


class InvalidBenefitError(InvalidError):
    """A field of a benefit or package is wrong; `pointer` names it."""

    code = "invalid_benefit"


class CodeTakenError(ConflictError):
    """The code is in use already."""

    code = "code_taken"
    message = _("This code is in use already.")


class IllegalStageError(ConflictError):
    """A benefit cannot move from its stage to this one; `stage` says where it is."""

    code = "illegal_stage"
    message = _("A benefit cannot move to this stage from where it is.")


class CostExistsError(ConflictError):
    """Another cost is in force from the same day on."""

    code = "cost_exists"
    message = _("Another cost starts on this day.")


class PeriodsOverlapError(ConflictError):
    """Another amount begins within the period; `valid_from` says when."""

    code = "periods_overlap"
    message = _("Another amount begins within this period.")


class AmountGoneError(NotFoundError):
    """No cost or price of the benefit starts on this day."""

    code = "unknown_amount"
    message = _("Nothing starts on this day.")


class AmountInForceError(ConflictError):
    """The amount holds or held already, so it can be ended but not called off."""

    code = "amount_in_force"
    message = _("It holds already: end it, or set another from a day to come.")


class CyclicPackageError(InvalidError):
    """A package would hold itself; `path` shows the way round, `pointer` the part."""

    code = "cyclic_package"
    message = _("A package cannot hold itself.")


class StockUsedError(ConflictError):
    """Fewer pieces are free than were to be taken out; `free` says how many."""

    code = "stock_used"
    message = _("Fewer pieces than that are free.")


class OutOfStockError(ConflictError):
    """No piece of the benefit is left."""

    code = "out_of_stock"
    message = _("Sold out.")


class CostMissingError(ConflictError):
    """No cost is in force on the day; `benefit` and `on` name the gap."""

    code = "cost_missing"
    message = _("No cost is known for this benefit on this day.")


class PoolEmptyError(ConflictError):
    """The pool has no free code left."""

    code = "out_of_stock"
    message = _("No code is left.")


class BadCodeFileError(InvalidError):
    """A file of codes is not what it should be; nothing was imported.

    `problems` lists the bad lines, or `reason` says what is wrong with the file as a whole.
    """

    code = "bad_code_file"
    message = _("The file was not imported: some of its lines are not right.")


class DuplicateCodesError(ConflictError):
    """Some of the codes are in the pool already, or twice in the list; nothing was imported."""

    code = "duplicate_codes"
    message = _("Some codes are there already.")

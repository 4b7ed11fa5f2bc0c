"""Wallets, their rules, and the accounts in them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils.translation import gettext as _

from core.actors import Actor
from core.errors import InvalidError
from members.points._calls import wallet_id
from members.points.errors import WalletMissingError
from members.points.models import Wallet
from tenants.audit.operations import record
from tenants.jobs.operations import enqueue

# A web request may open so many accounts; a job opens the others.
OPENED_AT_ONCE = 20_000
MAX_MONTHS = 600

_RULES = frozenset(
    {
        "name",
        "expiry_policy",
        "expiry_months",
        "pending_days",
        "restore_grace_days",
        "may_go_negative",
        "recover_percent",
        "cost_per_point_micro",
        "balance_cap",
        "earn_cap_day",
        "earn_cap_month",
        "cap_policy",
        "spend_min",
        "spend_step",
        "expiring_notice_days",
        "adjust_limit",
        "transfers_on",
        "transfer_min",
        "transfer_day_points",
        "transfer_day_count",
    }
)


def open_accounts(*, owner_id: int, at: datetime) -> None:
    """Open the owner's account in every wallet; an account that exists stays as it is."""
    open_accounts_for(owner_ids=[owner_id], at=at)


def open_accounts_for(*, owner_ids: Iterable[int], at: datetime) -> int:
    """Open accounts in every wallet for many owners in one statement; return how many were new."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
            SELECT w.id, o.id, 0, 0, 0, 0, %s
            FROM unnest(%s::bigint[]) AS o(id) CROSS JOIN members_wallet w
            ORDER BY o.id, w.id
            ON CONFLICT (owner_id, wallet_id) DO NOTHING
            """,
            [at, list(owner_ids)],
        )
        return int(cursor.rowcount)


def change_wallet(*, wallet: str, by: Actor, at: datetime, **rules: Any) -> Wallet:
    """Change the rules of a wallet from now on (fields of `Wallet`); writes an audit entry.

    :raises WalletMissingError: if there is no such wallet.
    :raises InvalidError: if a rule is unknown or its value not allowed.
    """
    with transaction.atomic():
        found = Wallet.objects.select_for_update().filter(code=wallet).first()
        if found is None:
            raise WalletMissingError(wallet=wallet)
        changes = _set_rules(found, rules)
        if changes:
            found.save(update_fields=list(changes))
            record(
                by=by,
                at=at,
                action="wallet.changed",
                target_type="wallet",
                target_id=wallet,
                changes=changes,
            )
    return found


def create_wallet(*, code: str, name: str, by: Actor, at: datetime, **rules: Any) -> Wallet:
    """Make another wallet, with rules as `change_wallet`; writes an audit entry.

    Members' accounts in it are opened here for up to `OPENED_AT_ONCE` members, and by a job for
    the others.

    :raises InvalidError: if the code is taken or malformed, or a rule not allowed.
    """
    with transaction.atomic():
        # Two wallets made at the same time wait for each other here.
        last = Wallet.objects.select_for_update().order_by("-id").first()
        wallet = Wallet(id=(last.pk if last else 0) + 1, code=code, name=name.strip())
        _set_rules(wallet, rules, is_new=True)
        wallet.save(force_insert=True)
        record(
            by=by,
            at=at,
            action="wallet.created",
            target_type="wallet",
            target_id=code,
            changes={"name": [None, wallet.name], **{k: [None, v] for k, v in rules.items()}},
        )
        opened = open_accounts_chunk(wallet=wallet.code, at=at, limit=OPENED_AT_ONCE)
        if opened == OPENED_AT_ONCE:
            enqueue(
                kind="points.open_accounts",
                dedupe_key=wallet.code,
                parameters={"wallet": wallet.pk},
                by=by,
                at=at,
            )
    return wallet


def open_accounts_chunk(*, wallet: str, at: datetime, limit: int = 50_000) -> int:
    """Open accounts in a wallet for owners who have one in another; return how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO members_account (wallet_id, owner_id, balance, pending, held, seq, opened_at)
            SELECT %(wallet)s, a.owner_id, 0, 0, 0, 0, %(at)s
            FROM members_account a
            WHERE a.wallet_id = 1 AND NOT EXISTS (
                SELECT FROM members_account o
                WHERE o.owner_id = a.owner_id AND o.wallet_id = %(wallet)s)
            ORDER BY a.owner_id LIMIT %(limit)s
            ON CONFLICT (owner_id, wallet_id) DO NOTHING
            """,
            {"wallet": wallet_id(wallet), "at": at, "limit": limit},
        )
        return int(cursor.rowcount)


def _set_rules(wallet: Wallet, rules: dict[str, Any], *, is_new: bool = False) -> dict[str, Any]:
    """Set rules, check the whole, and return what changed as [old, new]."""
    changes: dict[str, list[Any]] = {}
    for name, value in rules.items():
        if name not in _RULES:
            raise InvalidError(_("There is no such rule."), pointer=f"/{name}")
        if getattr(wallet, name) != value:
            changes[name] = [getattr(wallet, name), value]
            setattr(wallet, name, value)
    try:
        wallet.full_clean(validate_constraints=False)
        _check_together(wallet)
        if is_new:
            wallet.validate_unique()
        wallet.validate_constraints()
    except ValidationError as error:
        place = next(iter(error.message_dict), "") if hasattr(error, "error_dict") else ""
        pointer = {} if place in {"", "__all__"} else {"pointer": f"/{place}"}
        raise InvalidError("; ".join(error.messages), **pointer) from error
    return changes


def _check_together(wallet: Wallet) -> None:
    """Refuse rules that contradict each other, by name: constraints would say it less well.

    :raises InvalidError: with the place.
    """
    policy = Wallet.ExpiryPolicy
    if wallet.expiry_policy in {policy.MONTHS, policy.INACTIVITY} and not wallet.expiry_months:
        raise InvalidError(_("Say after how many months."), pointer="/expiry_months")
    if wallet.expiry_months > MAX_MONTHS:
        raise InvalidError(_("At most %(n)s months.") % {"n": MAX_MONTHS}, pointer="/expiry_months")
    if wallet.recover_percent > 100:
        raise InvalidError(_("A share is from 0 to 100."), pointer="/recover_percent")
    if wallet.recover_percent and wallet.may_go_negative:
        raise InvalidError(
            _("Either a debt or recovery from later credits, not both."),
            pointer="/recover_percent",
        )
    if not wallet.spend_step:
        raise InvalidError(_("A step is at least 1."), pointer="/spend_step")
    if not wallet.transfer_min:
        raise InvalidError(_("At least 1 point."), pointer="/transfer_min")

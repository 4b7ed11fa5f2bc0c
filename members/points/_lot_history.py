"""Where each lot came from and where it went, from the journal."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from django.db import connection

from members.points.models import FIRST_DAY, Account, Entry, Lot
from members.points.values import EntryView, LotHistory, LotMove, LotView

_MOVES: Final = """
SELECT e.seq, e.kind, e.at, e.ref_seq, e.source_type, e.source_id,
       e.lots[i], e.lots[i + 1], e.lots[i + 2]
FROM members_entry e CROSS JOIN generate_series(1, cardinality(e.lots), 3) AS i
WHERE e.account_id = %s AND e.seq >= %s AND e.lots[i + 1] = ANY (%s)
ORDER BY e.seq, i
"""
_KIND = Entry.Kind

Key = tuple[date, int]


def page_of_lots(account: Account, *, before: int | None, limit: int) -> list[Lot]:
    """Return lots, the newest first; those that one entry made stay together."""
    lots = Lot.objects.filter(account=account)
    if before is not None:
        lots = lots.filter(seq__lt=before)
    page = list(lots.order_by("-seq", "expires_on")[:limit])
    if len(page) == limit:
        last = page[-1].seq
        page = [lot for lot in page if lot.seq != last] + list(
            Lot.objects.filter(account=account, seq=last).order_by("expires_on")
        )
    return page


def histories_of(
    account: Account,
    lots: Sequence[Lot],
    *,
    views: Sequence[LotView],
    origins: dict[int, EntryView],
) -> list[LotHistory]:
    """Return what became of each lot; `views` and `lots` are in the same order."""
    seqs = sorted({lot.seq for lot in lots})
    moves: dict[Key, list[LotMove]] = {}
    sums: dict[Key, dict[str, int]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_MOVES, [account.pk, seqs[0] if seqs else 0, seqs])
        for seq, number, at, ref, source, source_id, day, lot_seq, points in cursor.fetchall():
            key = (FIRST_DAY + timedelta(days=day), lot_seq)
            kind = _KIND(number)
            moves.setdefault(key, []).append(LotMove(seq, kind, at, points, source, source_id))
            fate = sums.setdefault(key, dict.fromkeys(("spent", "held", "expired", "reversed"), 0))
            for name, change in _fate(kind, points, own=seq == lot_seq, is_undone=ref is not None):
                fate[name] += change
    nothing = dict.fromkeys(("spent", "held", "expired", "reversed"), 0)
    return [
        LotHistory(
            lot=view,
            origin=origins.get(lot.seq),
            moves=tuple(moves.get((lot.expires_on, lot.seq), ())),
            **sums.get((lot.expires_on, lot.seq), nothing),
        )
        for lot, view in zip(lots, views, strict=True)
    ]


def _fate(kind: Entry.Kind, points: int, *, own: bool, is_undone: bool) -> list[tuple[str, int]]:
    """Return to what an entry's change of a lot belongs, as `invariants.check_lots` has it."""
    if points > 0 and own:
        return []
    if kind == _KIND.CAPTURE:
        return [("held", points), ("spent", -points)]
    name = "reversed"
    if kind == _KIND.EXPIRE:
        name = "expired"
    elif kind == _KIND.HOLD or (kind == _KIND.RELEASE and points > 0):
        name = "held"
    elif (
        kind in {_KIND.REDEEM, _KIND.TRANSFER}
        or (kind in {_KIND.REVERSE, _KIND.ADJUST} and points > 0)
        or (kind == _KIND.ADJUST and not is_undone and not own)
    ):
        name = "spent"
    return [(name, -points)]

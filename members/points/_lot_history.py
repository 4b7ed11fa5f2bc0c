"""Where each lot came from and where it went, from the journal."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final

from members.points.models import FIRST_DAY, Entry, Lot
from members.points.values import EntryView, LotHistory, LotMove, LotView

# Entries of an account that touched one of these lots.
_TOUCHED: Final = (
    "EXISTS (SELECT FROM generate_series(1, cardinality(members_entry.lots), 3) AS i "
    "WHERE members_entry.lots[i + 1] = ANY (%s))"
)
_FATES: Final = ("spent", "held", "expired", "reversed")
_KIND = Entry.Kind

Key = tuple[date, int]


def page_of_lots(*, before: int | None, limit: int, **account: Any) -> list[Lot]:
    """Return lots with their account, the newest first; those that one entry made stay together."""
    lots = Lot.objects.filter(**account).select_related("account").order_by("-seq", "expires_on")
    page = list((lots if before is None else lots.filter(seq__lt=before))[:limit])
    if len(page) == limit:
        last = page[-1].seq
        page = [lot for lot in page if lot.seq != last] + list(lots.filter(seq=last))
    return page


def entries_of(lots: Sequence[Lot]) -> list[Entry]:
    """Return all entries that touched lots of one account, in their order: their credits too."""
    seqs = sorted({lot.seq for lot in lots})
    if not seqs:
        return []
    found = Entry.objects.filter(account_id=lots[0].account_id, seq__gte=seqs[0])
    return list(found.extra(where=[_TOUCHED], params=[seqs]).order_by("seq"))  # noqa: S610 - fixed text


def histories_of(
    lots: Sequence[Lot],
    entries: Sequence[Entry],
    *,
    views: Sequence[LotView],
    origins: dict[int, EntryView],
) -> list[LotHistory]:
    """Return what became of each lot; `views` and `lots` are in the same order."""
    moves: dict[Key, list[LotMove]] = {}
    sums: dict[Key, dict[str, int]] = {}
    for entry in entries:
        kind, is_undone = _KIND(entry.kind), entry.ref_seq is not None
        changes = zip(entry.lots[0::3], entry.lots[1::3], entry.lots[2::3], strict=True)
        for number, lot_seq, points in changes:
            key = (FIRST_DAY + timedelta(days=number), lot_seq)
            moves.setdefault(key, []).append(
                LotMove(entry.seq, kind, entry.at, points, entry.source_type, entry.source_id)
            )
            fate = sums.setdefault(key, dict.fromkeys(_FATES, 0))
            for name, change in _fate(kind, points, own=entry.seq == lot_seq, is_undone=is_undone):
                fate[name] += change
    return [
        LotHistory(
            lot=view,
            origin=origins.get(lot.seq),
            moves=tuple(moves.get((lot.expires_on, lot.seq), ())),
            **sums.get((lot.expires_on, lot.seq), dict.fromkeys(_FATES, 0)),
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

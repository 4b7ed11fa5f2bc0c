"""What must hold of merges in any brand at any time; empty lists when all is well."""

from collections.abc import Callable

from members.merging.registry import ids, list_movers

_LEADS = """
SELECT m.id FROM members_member m
LEFT JOIN members_membermerge g ON g.merged_id = m.id AND g.undone_at IS NULL
LEFT JOIN members_member s ON s.id = m.merged_into_id
WHERE (m.status = 'merged') <> (g.id IS NOT NULL AND m.status <> 'erased')
   OR m.status = 'merged' AND s.status = 'merged'
ORDER BY 1 LIMIT 20
"""


def check_leads() -> list[str]:
    """Each merged member leads to one who is not merged, by a merge that holds."""
    return [f"member {key}: leads nowhere or to nobody's survivor" for key in ids(_LEADS)]


def check_left() -> list[str]:
    """Merged members own no rows that should have followed; the nightly job takes late ones."""
    return [
        f"{mover.name}: merged member {key} still has rows"
        for mover in list_movers()
        for key in sorted(mover.left())[:20]
    ]


CHECKS: dict[str, Callable[[], list[str]]] = {
    "merging.leads": check_leads,
    "merging.left": check_left,
}

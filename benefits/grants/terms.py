"""The terms of benefits as they were when they were granted."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from benefits.catalogue.models import Benefit
from benefits.grants.models import GrantTerms


def freeze(*, benefits: Iterable[Benefit], at: datetime) -> dict[int, GrantTerms]:
    """Return the row that holds the present terms of each benefit, by key; made when new.

    At most two statements, however many benefits.
    """
    contents = {benefit.pk: content_of(benefit) for benefit in benefits}
    digests = {key: _digest(key, content) for key, content in contents.items()}
    found = _load(digests)
    missing = [key for key, digest in digests.items() if digest not in found]
    if missing:
        GrantTerms.objects.bulk_create(
            (
                GrantTerms(digest=digests[key], benefit_id=key, content=contents[key], since=at)
                for key in sorted(missing)
            ),
            ignore_conflicts=True,
        )
        found = _load(digests)
    return {key: found[digest] for key, digest in digests.items()}


def content_of(benefit: Benefit) -> dict[str, Any]:
    """Return what a member is promised: all that counts when the benefit is used."""
    return {
        "name": benefit.name,
        "summary": benefit.summary,
        "terms": benefit.terms,
        "kind": benefit.kind,
        "parameters": benefit.parameters,
        "regions": sorted(benefit.regions),
        "sla_hours": benefit.sla_hours,
        "list_price_minor": benefit.list_price_minor,
        "cancel_returns_unit": benefit.cancel_returns_unit,
    }


def _load(digests: dict[int, str]) -> dict[str, GrantTerms]:
    rows = GrantTerms.objects.filter(digest__in=digests.values())
    return {row.digest: row for row in rows}


def _digest(benefit_id: int, content: dict[str, Any]) -> str:
    canonical = json.dumps([benefit_id, content], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()

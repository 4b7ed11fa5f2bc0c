"""Regions as paths: `cn/gd/shenzhen` lies in `cn/gd`, which lies in `cn`. Pure."""

from collections.abc import Collection


def lies_in(region: str, regions: Collection[str]) -> bool:
    """Say whether a region is one of these, or lies in one of them; an empty list is everywhere.

    An unknown (empty) region lies in nothing but everywhere.
    """
    if not regions:
        return True
    steps = [step for step in region.split("/") if step]
    return any("/".join(steps[:count]) in regions for count in range(len(steps), 0, -1))

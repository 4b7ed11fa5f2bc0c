"""Where higher rooms hook in what a new or changed brand needs; filled in `AppConfig.ready`."""

from datetime import datetime
from typing import Protocol

from core.actors import Actor
from tenants.brands.models import Brand


class BrandHook(Protocol):
    """What a room does when a brand is made or changed.

    Called inside the brand's schema, in the transaction of the change. `action` is
    `brand.created`, `brand.suspended` or `brand.reactivated`.
    """

    def __call__(self, *, brand: Brand, action: str, by: Actor, at: datetime) -> None: ...


_hooks: list[BrandHook] = []


def on_brand_change(hook: BrandHook) -> BrandHook:
    """Register a hook, in the order of the rooms; registering it again changes nothing."""
    if hook not in _hooks:
        _hooks.append(hook)
    return hook


def run_hooks(*, brand: Brand, action: str, by: Actor, at: datetime) -> None:
    """Call all hooks; the caller has entered the brand."""
    for hook in _hooks:
        hook(brand=brand, action=action, by=by, at=at)

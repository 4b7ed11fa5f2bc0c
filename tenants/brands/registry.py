"""Where higher rooms hook in what a new or changed brand needs; filled in `AppConfig.ready`."""

from collections.abc import Callable
from datetime import datetime

from core.actors import Actor
from tenants.brands.models import Brand

# brand, the action ("brand.created", "brand.suspended", "brand.reactivated"), who, when. Called
# inside the brand's schema and in the transaction of the change.
BrandHook = Callable[[Brand, str, Actor, datetime], None]

_hooks: list[BrandHook] = []


def on_brand_change(hook: BrandHook) -> BrandHook:
    """Register a hook, in the order of the rooms; registering it again changes nothing."""
    if hook not in _hooks:
        _hooks.append(hook)
    return hook


def run_hooks(*, brand: Brand, action: str, by: Actor, at: datetime) -> None:
    """Call all hooks; the caller has entered the brand."""
    for hook in _hooks:
        hook(brand, action, by, at)

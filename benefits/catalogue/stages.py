"""Which stage may follow which (DOMAIN §1). Pure."""

from benefits.catalogue.models import Benefit

_Stage = Benefit.Stage

NEXT: dict[str, frozenset[str]] = {
    _Stage.IDEA: frozenset({_Stage.PILOT, _Stage.RETIRED}),
    _Stage.PILOT: frozenset({_Stage.CORE, _Stage.RETIRED}),
    _Stage.CORE: frozenset({_Stage.STAR, _Stage.WATCH}),
    _Stage.STAR: frozenset({_Stage.CORE, _Stage.WATCH}),
    _Stage.WATCH: frozenset({_Stage.CORE, _Stage.STAR, _Stage.RETIRED}),
    _Stage.RETIRED: frozenset(),
}
# Members can be granted and can use benefits of these stages.
LIVE: frozenset[str] = frozenset({_Stage.PILOT, _Stage.CORE, _Stage.STAR, _Stage.WATCH})


def may_follow(stage: str, *, after: str) -> bool:
    """Return whether a benefit may move from stage `after` to `stage`."""
    return stage in NEXT[after]

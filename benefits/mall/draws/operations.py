"""All writes of lucky draws: making, opening, drawing, revealing, closing."""

from benefits.mall.draws._play import play
from benefits.mall.draws._set_up import (
    PrizeDraft,
    create_draw,
    end_draw,
    open_draw,
    pause_draw,
    rotate_seed,
    set_prizes,
    update_draw,
)

__all__ = [
    "PrizeDraft",
    "create_draw",
    "end_draw",
    "open_draw",
    "pause_draw",
    "play",
    "rotate_seed",
    "set_prizes",
    "update_draw",
]

"""How a draw is decided so that nobody can bend it and everybody can check it. Pure.

Commit and reveal: the SHA-256 of a secret seed is published before the first draw, the seed after
the last one. A draw's roll is HMAC-SHA-256 of the seed over what belongs to the draw: its code,
the player's pseudonym, how many draws the player has made, and words that the player chose. The
house knew none of the words when it fixed the seed; the player cannot know the seed.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

# Rolls and weights are of a million: one chance is 0.0001 per cent.
SCALE = 1_000_000
# Numbers of 64 bits from here on are thrown away, so that every roll is equally likely.
_FAIR = (2**64 // SCALE) * SCALE


def commitment(seed: str) -> str:
    """Return what is published of a seed before it decides anything."""
    return hashlib.sha256(bytes.fromhex(seed)).hexdigest()


def player_name(*, draw: str, member: str) -> str:
    """Return the pseudonym of a member in a draw: the same for each of their draws."""
    return hashlib.sha256(f"{draw}\x1f{member}".encode()).hexdigest()[:16]


def message_of(*, draw: str, player: str, number: int, words: str) -> str:
    """Return what the seed is applied to."""
    return "\x1f".join((draw, player, str(number), words))


def roll(*, seed: str, message: str) -> int:
    """Return the roll of a draw, from 0 to 999,999."""
    key, count = bytes.fromhex(seed), 0
    while True:
        digest = hmac.new(key, f"{message}\x1f{count}".encode(), hashlib.sha256).digest()
        for start in range(0, 32, 8):
            value = int.from_bytes(digest[start : start + 8], "big")
            if value < _FAIR:
                return value % SCALE
        count += 1


def pick(*, roll: int, weights: Sequence[int]) -> int:
    """Return the place of the prize at a roll: the first whose running sum is above it."""
    above = 0
    for place, weight in enumerate(weights):
        above += weight
        if roll < above:
            return place
    raise ValueError(f"The weights add up to {above}, not to {SCALE}.")


def odds_digest(*, draw: str, prizes: Sequence[Mapping[str, Any]]) -> str:
    """Return the digest of a table of odds: code of the draw, then each prize in its order."""
    text = json.dumps(
        {"draw": draw, "prizes": list(prizes)},
        ensure_ascii=False,
        separators=(",", ":"),
        sort_keys=True,
    )
    return hashlib.sha256(text.encode()).hexdigest()

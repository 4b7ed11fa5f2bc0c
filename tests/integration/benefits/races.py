"""Where the races of this wing find the start that all races share."""

from tests.races import together

__all__ = ["together"]

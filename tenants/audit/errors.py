"""What the audit room refuses."""

from typing import Any


class WrongSchemaError(RuntimeError):
    """The schema belongs to another brand than the one we work for; nothing may be written."""

    def __init__(self, **data: Any) -> None:
        self.data = data
        super().__init__(f"Schema mix-up: {data}")

"""Fields that both APIs share."""

from typing import Any

from rest_framework import serializers

from core.money import MAX_MINOR


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses fields it does not know, so that a typing error is never silently ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = set(data) - set(self.fields)
            if unknown:
                raise serializers.ValidationError(
                    {str(name): ["Unknown field."] for name in sorted(map(str, unknown))},
                    code="unknown_field",
                )
        return super().to_internal_value(data)


class StrictInteger(serializers.IntegerField):
    """A JSON integer: no text, no fraction, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictText(serializers.CharField):
    """A JSON string without NUL: numbers are not turned into text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MoneySerializer(StrictSerializer):
    """Money in minor units, such as `{"amount": 1999, "currency": "CNY"}`."""

    amount = StrictInteger(min_value=0, max_value=MAX_MINOR)
    currency = serializers.RegexField(r"^[A-Z]{3}$")


def money(minor: int | None, currency: str) -> dict[str, Any] | None:
    """Return the JSON form of an amount, or None."""
    return None if minor is None else {"amount": minor, "currency": currency}

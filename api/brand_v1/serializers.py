"""What the brand API takes in; unknown fields and wrong types are refused by name."""

from typing import Any

from rest_framework import serializers

from api.fields import MoneySerializer, StrictInteger, StrictSerializer, StrictText
from core.money import MAX_MINOR

MAX_POINTS = 10**12


class MemberIn(StrictSerializer):
    """A member's fields; those left out stay as they are."""

    name = StrictText(max_length=120, required=False, allow_blank=True)
    email = StrictText(max_length=254, required=False, allow_blank=True)
    phone = StrictText(max_length=30, required=False, allow_blank=True)
    birthday = serializers.DateField(required=False, allow_null=True)
    gender = StrictText(max_length=20, required=False, allow_blank=True)
    region = StrictText(max_length=40, required=False, allow_blank=True)
    store_code = StrictText(max_length=40, required=False, allow_blank=True)
    locale = StrictText(max_length=10, required=False, allow_blank=True)
    tags = serializers.ListField(child=StrictText(max_length=40), required=False, max_length=50)
    attributes = serializers.DictField(
        required=False,
        help_text="By code, see /attributes. Null empties one; those left out stay.",
    )
    consents = serializers.DictField(child=serializers.BooleanField(), required=False)


class ConsentIn(StrictSerializer):
    """What a member says to one purpose."""

    given = serializers.BooleanField()


class EraseIn(StrictSerializer):
    """The member's number, such as M0000123, so that nobody is erased by a slip."""

    confirm = StrictText(max_length=20)


class LineIn(StrictSerializer):
    """One line of a purchase; amounts in minor units of the purchase's currency."""

    sku = StrictText(max_length=64)
    category = StrictText(max_length=64, required=False, allow_blank=True, default="")
    quantity = StrictInteger(min_value=1, max_value=1_000_000)
    amount = StrictInteger(min_value=-MAX_MINOR, max_value=MAX_MINOR)
    cost = StrictInteger(min_value=0, max_value=MAX_MINOR, required=False, allow_null=True)


class PurchaseIn(StrictSerializer):
    """A purchase of a member who is enrolled."""

    external_id = StrictText(max_length=100)
    member = StrictText(max_length=64, help_text="The member's external id.")
    occurred_at = serializers.DateTimeField(default_timezone=None)
    amount = MoneySerializer()
    channel = StrictText(max_length=40, required=False, allow_blank=True, default="")
    store = StrictText(max_length=40, required=False, allow_blank=True, default="")
    associate = StrictText(max_length=60, required=False, allow_blank=True, default="")
    lines = LineIn(many=True, required=False, default=list, max_length=500)  # type: ignore[call-arg]


class BatchIn(StrictSerializer):
    """Up to 1,000 purchases; each is recorded or refused by itself."""

    purchases = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=1000)


class RefundLineIn(StrictSerializer):
    """Pieces of one line that came back; without an amount, their share of the line."""

    line = StrictInteger(min_value=1, help_text="Its place in the purchase, from 1.")
    quantity = StrictInteger(min_value=1, max_value=1_000_000)
    amount = StrictInteger(min_value=0, max_value=MAX_MINOR, required=False, allow_null=True)


class RefundIn(StrictSerializer):
    """Money given back for a purchase; with `lines`, the amount may be left out."""

    external_id = StrictText(max_length=100)
    amount = MoneySerializer(required=False)
    lines = RefundLineIn(many=True, required=False, default=list, max_length=500)  # type: ignore[call-arg]
    occurred_at = serializers.DateTimeField(default_timezone=None)


class BatchRefundIn(RefundIn):
    """A refund of a batch: it names its purchase."""

    purchase = StrictText(max_length=100, help_text="The purchase's external id.")


class RefundBatchIn(StrictSerializer):
    """Up to 1,000 refunds; each is recorded or refused by itself."""

    refunds = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=1000)


class EventIn(StrictSerializer):
    """A named thing that a member did."""

    member = StrictText(max_length=64)
    name = StrictText(max_length=40)
    occurred_at = serializers.DateTimeField(default_timezone=None)
    properties = serializers.DictField(required=False, default=dict)
    external_id = StrictText(max_length=100, required=False)


class EventBatchIn(StrictSerializer):
    """Up to 1,000 events; each is recorded or refused by itself."""

    events = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=1000)


class AdjustmentIn(StrictSerializer):
    """Points added (above zero) or taken (below), with the reason members may read."""

    amount = StrictInteger(min_value=-MAX_POINTS, max_value=MAX_POINTS)
    reason = StrictText(max_length=300)
    wallet = StrictText(max_length=20, required=False, default="points")

    def validate_amount(self, value: int) -> int:
        if value == 0:
            raise serializers.ValidationError("Zero changes nothing.")
        return value


class HoldIn(StrictSerializer):
    """Points set aside for a member."""

    member = StrictText(max_length=64)
    amount = StrictInteger(min_value=1, max_value=MAX_POINTS)
    minutes = StrictInteger(min_value=1, max_value=1440, required=False, default=10)


class RedemptionIn(StrictSerializer):
    """One unit of a benefit that the member holds."""

    member = StrictText(max_length=64)
    benefit = StrictText(max_length=40, help_text="The benefit's code.")
    region = StrictText(max_length=40, required=False, allow_blank=True, default="")
    slot_at = serializers.DateTimeField(required=False, allow_null=True, default_timezone=None)
    store = StrictText(max_length=40, required=False, allow_blank=True, default="")
    note = StrictText(max_length=500, required=False, allow_blank=True, default="")


class RescheduleIn(StrictSerializer):
    """Another time for an appointment; without `store` in the same one."""

    slot_at = serializers.DateTimeField(default_timezone=None)
    store = StrictText(max_length=40, required=False, allow_blank=True)


class ShownIn(StrictSerializer):
    """What the scanner read off the member's screen."""

    token = StrictText(max_length=120)


class ReasonIn(StrictSerializer):
    """Why something ends."""

    reason = StrictText(max_length=200, required=False, allow_blank=True, default="")


class AddressIn(StrictSerializer):
    """Where goods go."""

    recipient = StrictText(max_length=120)
    phone = StrictText(max_length=40)
    lines = StrictText(max_length=400)


class MallOrderIn(StrictSerializer):
    """An item of the points mall for a member."""

    member = StrictText(max_length=64)
    item = StrictText(max_length=40, help_text="The item's code.")
    variant = StrictText(max_length=40, required=False, allow_null=True)
    quantity = StrictInteger(min_value=1, max_value=100, required=False, default=1)
    address = AddressIn(required=False, allow_null=True)


class ShipmentIn(StrictSerializer):
    """How goods are on their way."""

    carrier = StrictText(max_length=40, required=False, allow_blank=True, default="")
    tracking = StrictText(max_length=120, required=False, allow_blank=True, default="")


class PaymentIn(StrictSerializer):
    """The cash part as the till or gateway took it."""

    reference = StrictText(max_length=120)


class DrawPlayIn(StrictSerializer):
    """One draw for a member."""

    member = StrictText(max_length=64)
    words = StrictText(max_length=60, required=False, allow_blank=True, default="")


class EndpointIn(StrictSerializer):
    """Where events are sent."""

    url = StrictText(max_length=500)
    description = StrictText(max_length=120, required=False, allow_blank=True, default="")
    event_types = serializers.ListField(
        child=StrictText(max_length=60), required=False, default=list, max_length=100
    )


def clean(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """Return the valid data of a body.

    :raises ValidationError: with the place of everything that is wrong.
    """
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)

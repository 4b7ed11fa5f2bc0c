"""What the partner API takes in."""

from rest_framework import serializers

from api.fields import StrictInteger, StrictSerializer, StrictText


class ReasonIn(StrictSerializer):
    """Why."""

    reason = StrictText(max_length=200, required=False, allow_blank=True, default="")


class ScheduleIn(StrictSerializer):
    """When the service takes place."""

    scheduled_for = serializers.DateTimeField(default_timezone=None)


class FulfilIn(StrictSerializer):
    """Proof of service: the code that the member shows, and references to photos or notes."""

    code = StrictText(max_length=40)
    evidence = serializers.DictField(required=False, default=dict)


class CodeIn(StrictSerializer):
    """A code to look at."""

    code = StrictText(max_length=40)


class OfferingIn(StrictSerializer):
    """What a partner may change of an offering."""

    capacity_per_day = StrictInteger(min_value=0, max_value=100_000, required=False)
    lead_time_hours = StrictInteger(min_value=0, max_value=2_000, required=False)
    sla_hours = StrictInteger(min_value=1, max_value=2_000, required=False)
    status = serializers.ChoiceField(choices=["active", "paused"], required=False)


class CapacityIn(StrictSerializer):
    """Orders taken on one day."""

    capacity = StrictInteger(min_value=0, max_value=100_000)

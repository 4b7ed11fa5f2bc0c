"""What is held about members: the brand's attributes, consents, the export, being erased."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView, write
from api.brand_v1 import shapes
from api.brand_v1.lookups import member_of
from api.brand_v1.serializers import ConsentIn, EraseIn, clean
from api.openapi import PROBLEMS, ListOf
from core import clock
from members.profiles.consent_operations import set_consent
from members.profiles.erasure_operations import erase_member
from members.profiles.errors import ErasureNotFoundError
from members.profiles.export_operations import export_member
from members.profiles.models import Member
from members.profiles.queries import (
    get_last_erasure,
    list_attribute_definitions,
    list_consent_changes,
    list_consents,
)


class ChoiceOut(serializers.Serializer[Any]):
    """One value of a choice."""

    code = serializers.CharField()
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]


class AttributeOut(serializers.Serializer[Any]):
    """A fact of its own that the brand keeps about members."""

    code = serializers.CharField()
    type = serializers.ChoiceField(choices=["text", "number", "date", "boolean", "choice"])
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]
    choices = ChoiceOut(many=True)
    required = serializers.BooleanField()  # type: ignore[assignment]
    portal = serializers.ChoiceField(choices=["hidden", "shown", "edited"])


class ConsentOut(serializers.Serializer[Any]):
    """A purpose, its words in force, and what the member says to it."""

    purpose = serializers.CharField()
    label = serializers.DictField(child=serializers.CharField())  # type: ignore[assignment]
    text = serializers.DictField(child=serializers.CharField())
    version = serializers.IntegerField(allow_null=True)
    given = serializers.BooleanField(allow_null=True, help_text="Null: never asked.")
    given_version = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField(allow_null=True)


class ConsentChangeOut(serializers.Serializer[Any]):
    """One yes or no, kept for ever."""

    purpose = serializers.CharField()
    given = serializers.BooleanField()
    version = serializers.IntegerField(allow_null=True)
    source = serializers.CharField()  # type: ignore[assignment]
    by = serializers.CharField()
    at = serializers.DateTimeField()


class ConsentsOut(serializers.Serializer[Any]):
    """What a member agrees to, and how that came about."""

    consents = ConsentOut(many=True)
    history = ConsentChangeOut(many=True)


class ErasureOut(serializers.Serializer[Any]):
    """How far the erasure of a member is."""

    number = serializers.CharField()
    state = serializers.ChoiceField(choices=["asked", "started", "done", "refused", "withdrawn"])
    asked_at = serializers.DateTimeField()
    due_on = serializers.DateField()
    finished_at = serializers.DateTimeField(allow_null=True)


class Attributes(BrandView):
    """The attributes that the brand has defined."""

    scopes = {"GET": "members:read"}

    @extend_schema(
        operation_id="attributes_list", responses={200: ListOf(AttributeOut), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        """List the attributes in use; `members` takes their values by code."""
        items = [
            {
                "code": one.code,
                "type": one.type.value,
                "label": dict(one.label),
                "choices": [{"code": c.code, "label": dict(c.label)} for c in one.choices],
                "required": one.is_required,
                "portal": one.portal,
            }
            for one in list_attribute_definitions()
        ]
        return Response({"items": items, "next": None})


class Consents(BrandView):
    """What one member agrees to."""

    scopes = {"GET": "members:read"}

    @extend_schema(operation_id="consents_get", responses={200: ConsentsOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return each purpose with what the member says to it, and the history."""
        return Response(_consents(member_of(external_id)))


class ConsentDetail(BrandView):
    """One consent of one member."""

    scopes = {"PUT": "members:write"}

    @extend_schema(
        operation_id="consents_put",
        request=ConsentIn,
        responses={200: ConsentsOut, **PROBLEMS},
    )
    @write()
    def put(self, request: Request, external_id: str, purpose: str) -> Response:
        """Give or withdraw a consent; saying the same again changes nothing."""
        member = member_of(external_id)
        set_consent(
            member=member,
            purpose=purpose,
            is_given=clean(ConsentIn, request.data)["given"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_consents(member_of(external_id)))


class Export(BrandView):
    """All that is held about one member."""

    scopes = {"GET": "members:export"}

    @extend_schema(
        operation_id="members_export",
        responses={200: serializers.DictField(), **PROBLEMS},
    )
    def get(self, request: Request, external_id: str) -> Response:
        """Return what every room holds, table by table; audited."""
        found = export_member(member=member_of(external_id), by=self.actor(request), at=clock.now())
        return Response(found.as_json())


class ErasureDetail(BrandView):
    """Erasing one member for good."""

    scopes = {"POST": "members:erase", "GET": "members:erase"}

    @extend_schema(operation_id="erasure_get", responses={200: ErasureOut, **PROBLEMS})
    def get(self, request: Request, external_id: str) -> Response:
        """Return what became of a wish; once erased, ask by `erased-` and the number."""
        return Response(_erasure(member_of(external_id)))

    @extend_schema(
        operation_id="erasure_create",
        request=EraseIn,
        responses={202: ErasureOut, **PROBLEMS},
    )
    @write(key_required=True)
    def post(self, request: Request, external_id: str) -> Response:
        """Erase the person behind a member; what happened stays under the number alone."""
        member = member_of(external_id)
        erase_member(
            member=member,
            confirm=clean(EraseIn, request.data)["confirm"],
            by=self.actor(request),
            at=clock.now(),
        )
        return Response(_erasure(member), status=202)


def _erasure(member: Member) -> dict[str, Any]:
    found = get_last_erasure(member=member)
    if found is None:
        raise ErasureNotFoundError(member=member.number)
    return {
        "number": member.number,
        "state": found.state,
        "asked_at": shapes.time(found.asked_at),
        "due_on": shapes.day(found.due_on),
        "finished_at": shapes.time(found.finished_at),
    }


def _consents(member: Member) -> dict[str, Any]:
    return {
        "consents": [
            {
                "purpose": one.purpose,
                "label": dict(one.label),
                "text": dict(one.text),
                "version": one.version,
                "given": one.is_given,
                "given_version": one.text_version if one.is_given else None,
                "at": shapes.time(one.at),
            }
            for one in list_consents(member=member)
        ],
        "history": [
            {
                "purpose": one.purpose.code,
                "given": one.is_given,
                "version": one.text_version,
                "source": one.source,
                "by": one.actor,
                "at": shapes.time(one.at),
            }
            for one in list_consent_changes(member=member)
        ],
    }

"""The door for partners whose own system tells us that an order has changed."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.openapi import PROBLEMS
from core import clock
from partners.adapters import operations


class CallbackIn(serializers.Serializer[Any]):
    """Which order has changed; whatever else is in the body is not read."""

    order = serializers.CharField()


class CallbackOut(serializers.Serializer[Any]):
    """That the status is asked for; false when the order is closed."""

    asks = serializers.BooleanField()


def _header(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, str, OpenApiParameter.HEADER, required=True)


class Callback(APIView):
    """Takes callbacks signed by Standard Webhooks with the connection's secret."""

    # The signature is the proof, checked over the very bytes of the body.
    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        operation_id="hear_callback",
        summary="Say that an order has changed in your system",
        description=(
            "Only a nudge: the state is asked for with the `status` call of your connection, so "
            "callbacks may come twice, late or out of order. Signed as Standard Webhooks with "
            "the callback secret of your connection; times more than five minutes off are "
            "refused."
        ),
        parameters=[
            _header("webhook-id"),
            _header("webhook-timestamp"),
            _header("webhook-signature"),
        ],
        request=CallbackIn,
        responses={202: CallbackOut} | PROBLEMS,
        auth=[],
    )
    def post(self, request: Request, partner: str) -> Response:
        """Hear a callback."""
        call = operations.hear_callback(
            partner_code=partner,
            body=request._request.body,  # noqa: SLF001  (DRF offers no other way to the bytes)
            headers=dict(request.headers),
            at=clock.now(),
        )
        return Response({"asks": call is not None}, status=202)

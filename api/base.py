"""What every endpoint of both APIs shares: keys, rate limits, idempotent writes, dry runs, pages."""

import base64
import binascii
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, ClassVar

from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse, HttpResponseBase
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from api.permissions import HasScope
from core import clock
from core.actors import Actor
from core.errors import DomainError, InvalidError
from tenants.accounts import keys
from tenants.accounts.models import ApiKey
from tenants.events.idempotency import idempotent

# A shop's tills share one key; a partner's system calls now and then.
REQUESTS_PER_MINUTE = {ApiKey.Kind.BRAND: 6_000, ApiKey.Kind.PARTNER: 600}
MAX_PAGE = 200


class UnauthenticatedError(DomainError):
    """No key, or not a valid one."""

    code = "unauthenticated"
    status = 401


class IdempotencyKeyRequiredError(DomainError):
    """A write that spends came without an `Idempotency-Key` header."""

    code = "idempotency_key_required"
    status = 400


class BadCursorError(DomainError):
    """The cursor was not made by this API."""

    code = "bad_cursor"
    status = 400


class RateLimitedError(DomainError):
    """The key has used up its requests of this minute."""

    code = "rate_limited"
    status = 429


class BearerAuthentication(BaseAuthentication):
    """Authenticates `Authorization: Bearer ts*_…` against the brand's keys."""

    kind: ClassVar[str]

    def authenticate(self, request: Request) -> tuple[None, ApiKey]:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise UnauthenticatedError("Send the key as `Authorization: Bearer …`.")
        return None, keys.authenticate(text=text.strip(), kind=self.kind, at=clock.now())

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BrandKeyAuthentication(BearerAuthentication):
    """Keys of a brand's own systems."""

    kind = ApiKey.Kind.BRAND


class PartnerKeyAuthentication(BearerAuthentication):
    """Keys of one partner of the brand."""

    kind = ApiKey.Kind.PARTNER


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    content_type: str
    body: bytes


def key_of(request: Request) -> ApiKey:
    """Return the key that the caller proved."""
    key = request.auth
    if not isinstance(key, ApiKey):
        raise UnauthenticatedError
    return key


class ApiView(APIView):
    """An endpoint; `scopes` names the scope that each method needs."""

    permission_classes = (HasScope,)
    scopes: ClassVar[dict[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self._count_request(request)

    def http_method_not_allowed(
        self,
        request: Any,
        *args: Any,
        **kwargs: Any,
    ) -> Response:
        raise MethodNotAllowed(request.method or "")

    def _count_request(self, request: Request) -> None:
        window, second = divmod(int(time.time()), 60)
        allowed = REQUESTS_PER_MINUTE[ApiKey.Kind(key_of(request).kind)]
        name = f"api-rate:{key_of(request).pk}:{window}"
        cache.add(name, 0, timeout=120)
        try:
            used = cache.incr(name)
        except ValueError:  # the entry ran out between the two calls
            used = 1
        self._limit = (allowed, max(allowed - used, 0), 60 - second)
        if used > allowed:
            raise RateLimitedError("Too many requests with this key.", retry_after=60 - second)

    def finalize_response(
        self, request: Request, response: Any, *args: Any, **kwargs: Any
    ) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        allowed, remaining, reset = getattr(self, "_limit", (None, None, None))
        if remaining is not None:
            answer.headers["RateLimit-Policy"] = f'"default";q={allowed};w=60'
            answer.headers["RateLimit"] = f'"default";r={remaining};t={reset}'
        answer.headers["Cache-Control"] = "no-store"
        return answer

    def actor(self, request: Request) -> Actor:
        """Return the calling key as the `by` of an operation."""
        key = key_of(request)
        return Actor(
            kind="partner" if key.kind == ApiKey.Kind.PARTNER else "api",
            id=key.owner_id if key.kind == ApiKey.Kind.PARTNER else key.pk,
            label=key.name,
            address=request.META.get("REMOTE_ADDR", ""),
        )


class BrandView(ApiView):
    """An endpoint for the brand's own systems."""

    authentication_classes = (BrandKeyAuthentication,)


class PartnerView(ApiView):
    """An endpoint for one partner; `partner_id` is the caller's own key and nothing else."""

    authentication_classes = (PartnerKeyAuthentication,)

    @property
    def partner_id(self) -> int:
        owner = key_of(self.request).owner_id
        if owner is None:  # a constraint of the table
            raise UnauthenticatedError
        return owner


Handler = Callable[..., HttpResponseBase]


def write(*, key_required: bool = False) -> Callable[[Handler], Handler]:
    """Make a view method an idempotent write that can be tried with `?dry_run=true`.

    The first answer is kept in the transaction of its effect and given again, byte for byte, to
    the same key and body. Refusals have no effect and are not kept.
    """

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def wrapped(self: ApiView, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if request.query_params.get("dry_run", "").lower() in {"1", "true"}:
                return _dry_run(lambda: handler(self, request, *args, **kwargs))
            key = request.headers.get("Idempotency-Key", "")
            if not key:
                if key_required:
                    raise IdempotencyKeyRequiredError(
                        "This write spends: send an Idempotency-Key header."
                    )
                with transaction.atomic():
                    return handler(self, request, *args, **kwargs)
            if len(key) > 255:
                raise InvalidError("Idempotency-Key has more than 255 characters.")

            def produce() -> _Answer:
                response = handler(self, request, *args, **kwargs)
                if not isinstance(response, Response):
                    raise TypeError("A write answers with a Response.")
                body = JSONRenderer().render(response.data)
                return _Answer(response.status_code, "application/json", body)

            raw = request._request.body  # noqa: SLF001  (DRF offers no other way to the bytes)
            digest = hashlib.sha256(
                b"\n".join([(request.method or "").encode(), request.get_full_path().encode(), raw])
            ).hexdigest()
            answer, replayed = idempotent(
                scope=f"key:{key_of(request).pk}",
                key=key,
                digest=digest,
                at=clock.now(),
                produce=produce,
            )
            # The stored bytes themselves: a replay is the first answer, byte for byte.
            response = HttpResponse(
                answer.body, status=answer.status, content_type=answer.content_type
            )
            if replayed:
                response.headers["Idempotent-Replayed"] = "true"
            return response

        return wrapped

    return decorate


def _dry_run(run: Callable[[], HttpResponseBase]) -> HttpResponseBase:
    with transaction.atomic():
        response = run()
        transaction.set_rollback(True)
    response.headers["Dry-Run"] = "true"
    return response


def encode_cursor(value: str | int) -> str:
    """Return the opaque text of a position in a list."""
    return base64.urlsafe_b64encode(str(value).encode()).decode().rstrip("=")


def decode_cursor(text: str | None) -> str | None:
    """Return the position that a cursor stands for.

    :raises BadCursorError: if it is no cursor.
    """
    if not text:
        return None
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode("ascii")
    except (binascii.Error, ValueError, UnicodeError):
        raise BadCursorError("The cursor is not one of ours.") from None


def int_cursor(text: str | None) -> int | None:
    """Return the numeric position of a cursor.

    :raises BadCursorError: if it is no cursor, or no number.
    """
    value = decode_cursor(text)
    if value is None:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > 18:
        raise BadCursorError("The cursor is not one of ours.")
    return int(value)


def page_limit(request: Request, default: int = 50) -> int:
    """Return `?limit=`, between 1 and 200.

    :raises InvalidError: if it is no such number.
    """
    text = request.query_params.get("limit")
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MAX_PAGE:
        raise InvalidError("limit must be a number from 1 to 200.", pointer="/limit")
    return int(text)


def page(items: Sequence[Any], *, limit: int, position: Callable[[Any], str | int]) -> Any:
    """Make the envelope of a list fetched with one item more than `limit`."""
    shown = items[:limit]
    more = len(items) > limit
    return {"items": shown, "next": encode_cursor(position(shown[-1])) if more else None}

"""Calling endpoints: many at a time, and no dead one holds up the living.

A delivery is claimed by pushing its due time ahead, called outside any transaction by a thread
that touches no database, and noted: a sender that dies in between sends it again. An endpoint
that can not be reached is not called again in the same pass; one that fails for a minute is
probed with one delivery at a time, by a task of its own, until it answers.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from django.db import connection

from core.actors import SYSTEM
from tenants.events import outbound
from tenants.events.models import WebhookDelivery, WebhookEndpoint
from tenants.events.webhooks.endpoints import disable_endpoint
from tenants.events.webhooks.messages import (
    MAX_ATTEMPTS,
    build_body,
    build_headers,
    retry_delay,
)

logger = structlog.get_logger(__name__)

DISABLE_AFTER = timedelta(days=5)
PROBE_AFTER = timedelta(seconds=60)
# So many failures of one endpoint end its turn; one that has not answered at all ends it at once.
_FAILURES = 3
# One pass ends after this long; the rest is for the next.
PASS_SECONDS = 60.0
CALLS_AT_ONCE = 32
# An endpoint starts with one call at a time and earns more by answering: a dead one ties up one
# thread, not all.
CALLS_PER_ENDPOINT = 8
# Longer than a pass and its last call: nobody else takes what is claimed.
_CLAIM = timedelta(seconds=120)
_CHUNK = 64
# How far one claim looks, and how many rows of one endpoint it takes, so that a backlog of one
# endpoint does not hide the others.
_LOOK_AHEAD = 2000
_SHARE = 16
_GONE = 410


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one call."""

    status: int | None = None
    error: str = ""

    @property
    def is_ok(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def deliver_due(*, at: datetime, limit: int = 5000) -> int:
    """Call the endpoints for all due deliveries, all but the failing; return how many calls.

    Call it outside any transaction of your own: it waits for other machines.
    """
    return _Pass(at=at, limit=limit, is_failing=False).run()


def probe_failing(*, at: datetime) -> int:
    """Call each failing endpoint for its oldest due delivery; return how many calls.

    What waits for an endpoint that answers again goes out with the next `deliver_due`.
    """
    return _Pass(at=at, limit=5000, is_failing=True).run()


class _Pass:
    """One pass over what is due. The thread that runs it does all the work in the database."""

    def __init__(self, *, at: datetime, limit: int, is_failing: bool) -> None:
        self._at, self._limit, self._is_failing = at, limit, is_failing
        self._until = time.monotonic() + PASS_SECONDS
        self._waiting: deque[WebhookDelivery] = deque()
        self._running: dict[Future[_Outcome], WebhookDelivery] = {}
        self._load: Counter[int] = Counter()
        self._failures: Counter[int] = Counter()
        self._answers: Counter[int] = Counter()
        # Endpoints not to be called (again) in this pass.
        self._closed: set[int] = set()
        self._calls = 0
        self._claimed = 0

    def run(self) -> int:
        """Claim, call and note until nothing is due, or the time or the limit is used up."""
        with ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="webhook") as pool:
            while True:
                self._claim_more()
                self._start(pool.submit)
                if not self._running:
                    break
                done, _ = wait(self._running, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    self._finish(future)
        return self._calls

    def _claim_more(self) -> None:
        room = min(_CHUNK, self._limit - self._claimed)
        if self._waiting or room <= 0 or time.monotonic() > self._until:
            return
        share = 1 if self._is_failing else _SHARE
        ids = _claim(self._at, room, share=share, is_failing=self._is_failing, without=self._closed)
        self._claimed += len(ids)
        found = WebhookDelivery.objects.select_related("endpoint", "event").filter(pk__in=ids)
        self._waiting.extend(found.order_by("pk"))
        if self._is_failing:
            self._closed.update(one.endpoint_id for one in self._waiting)

    def _start(self, submit: Callable[..., "Future[_Outcome]"]) -> None:
        for _ in range(len(self._waiting)):
            if len(self._running) >= CALLS_AT_ONCE:
                return
            delivery = self._waiting.popleft()
            if delivery.endpoint_id in self._closed and not self._is_failing:
                _postpone(delivery, self._at)
            elif self._load[delivery.endpoint_id] > min(
                self._answers[delivery.endpoint_id], CALLS_PER_ENDPOINT - 1
            ):
                self._waiting.append(delivery)
            else:
                body = build_body(delivery.event)
                headers = build_headers(delivery=delivery, body=body, at=self._at)
                future = submit(_call, delivery.endpoint.url, body, headers)
                self._running[future] = delivery
                self._load[delivery.endpoint_id] += 1
                self._calls += 1

    def _finish(self, future: "Future[_Outcome]") -> None:
        delivery = self._running.pop(future)
        self._load[delivery.endpoint_id] -= 1
        outcome = future.result()
        endpoint = delivery.endpoint_id
        self._failures[endpoint] += not outcome.is_ok
        self._answers[endpoint] += outcome.is_ok
        is_dead = bool(outcome.error) and not self._answers[endpoint]
        if is_dead or self._failures[endpoint] >= _FAILURES:
            self._closed.add(endpoint)
        _note(delivery, outcome, self._at)


def _call(url: str, body: bytes, headers: dict[str, str]) -> _Outcome:
    """Make one call; runs in a thread and touches no database."""
    try:
        return _Outcome(status=outbound.post(url, body=body, headers=headers).status)
    except outbound.RefusedAddressError as refusal:
        return _Outcome(error=f"refused: {refusal}")
    except outbound.CallFailedError as failure:
        return _Outcome(error=str(failure))


def _claim(
    at: datetime,
    limit: int,
    *,
    share: int = _SHARE,
    is_failing: bool = False,
    without: Collection[int] = (),
) -> list[int]:
    """Claim due deliveries, at most `share` of each endpoint, oldest first; return their keys."""
    claimed: list[int] = []
    while not claimed:
        wanted = _find_due(at, limit, share=share, is_failing=is_failing, without=without)
        if not wanted:
            break
        # Another sender may have been quicker: then it has pushed their due times ahead.
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE events_webhookdelivery SET attempts = attempts + 1, last_attempt_at = %s, "
                "due_at = %s WHERE id IN (SELECT id FROM events_webhookdelivery "
                "WHERE id = ANY(%s) AND state = 'pending' AND due_at <= %s "
                "ORDER BY id FOR UPDATE) RETURNING id",
                [at, at + _CLAIM, wanted, at],
            )
            claimed = sorted(row[0] for row in cursor.fetchall())
    return claimed


def _find_due(
    at: datetime, limit: int, *, share: int, is_failing: bool, without: Collection[int]
) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id FROM (SELECT id, due_at, row_number() OVER "
            "(PARTITION BY endpoint_id ORDER BY due_at, id) AS place FROM ("
            "SELECT d.id, d.endpoint_id, d.due_at FROM events_webhookdelivery d "
            "JOIN events_webhookendpoint e ON e.id = d.endpoint_id "
            "WHERE d.state = 'pending' AND d.due_at <= %s AND e.is_enabled "
            "AND coalesce(e.failing_since <= %s, false) = %s AND d.endpoint_id <> ALL(%s) "
            "ORDER BY d.due_at, d.id LIMIT %s) ahead) placed "
            "WHERE place <= %s ORDER BY due_at, id LIMIT %s",
            [at, at - PROBE_AFTER, is_failing, list(without), _LOOK_AHEAD, share, limit],
        )
        return [row[0] for row in cursor.fetchall()]


def _postpone(delivery: WebhookDelivery, at: datetime) -> None:
    """Give a claimed delivery back without a call: its endpoint has just failed for another."""
    WebhookDelivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, state=WebhookDelivery.State.PENDING
    ).update(
        attempts=delivery.attempts - 1,
        due_at=at + retry_delay(attempts=1),
        last_error="not sent: the endpoint was failing",
    )


def _note(delivery: WebhookDelivery, outcome: _Outcome, at: datetime) -> None:
    """Note what became of a call, unless the delivery has been claimed anew meanwhile."""
    endpoint = delivery.endpoint
    mine = WebhookDelivery.objects.filter(
        pk=delivery.pk, attempts=delivery.attempts, state=WebhookDelivery.State.PENDING
    )
    if outcome.is_ok:
        mine.update(
            state=WebhookDelivery.State.DELIVERED,
            last_status=outcome.status,
            last_error="",
            delivered_at=at,
        )
        if endpoint.failing_since is not None:
            WebhookEndpoint.objects.filter(pk=endpoint.pk).update(failing_since=None)
        return
    gives_up = delivery.attempts >= MAX_ATTEMPTS
    mine.update(
        state=WebhookDelivery.State.DEAD if gives_up else WebhookDelivery.State.PENDING,
        due_at=at if gives_up else at + retry_delay(attempts=delivery.attempts),
        last_status=outcome.status,
        last_error=(outcome.error or f"answered {outcome.status}")[:300],
    )
    logger.warning(
        "webhook_failed",
        endpoint=endpoint.pk,
        delivery=delivery.pk,
        attempts=delivery.attempts,
        status=outcome.status,
        error=outcome.error,
        gives_up=gives_up,
    )
    if outcome.status == _GONE:
        disable_endpoint(endpoint=endpoint, reason="answered 410 Gone", by=SYSTEM, at=at)
        return
    WebhookEndpoint.objects.filter(pk=endpoint.pk, failing_since__isnull=True).update(
        failing_since=at
    )
    if endpoint.failing_since is not None and endpoint.failing_since < at - DISABLE_AFTER:
        disable_endpoint(endpoint=endpoint, reason="failing for five days", by=SYSTEM, at=at)

"""`/metrics` for Prometheus: what Django counts, and the state of the queue."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, generate_latest

from core import clock
from tenants.jobs.queries import last_heartbeat, queue_state

_JOBS = Gauge("tessera_jobs", "Jobs of all brands by state.", ["state"])
_OLDEST = Gauge("tessera_oldest_due_job_seconds", "Age of the oldest job that is due.")
_SEEN = Gauge("tessera_worker_seen_seconds", "Since a worker was last seen; -1: never.")


@require_safe
def metrics(_request: HttpRequest) -> HttpResponse:
    """Render all metrics; those of the queue are read now."""
    at = clock.now()
    state = queue_state(at=at)
    for name in ("open", "running", "failed", "overdue"):
        _JOBS.labels(state=name).set(getattr(state, name))
    oldest = state.oldest_due_at
    _OLDEST.set((at - oldest).total_seconds() if oldest is not None else 0)
    seen = last_heartbeat("sweeper")
    _SEEN.set((at - seen).total_seconds() if seen is not None else -1)
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)

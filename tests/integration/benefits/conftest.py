"""Benefits, members and rights for the tests of this wing."""

import itertools
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from core.actors import SYSTEM
from tenants.jobs.models import Job
from tenants.jobs.operations import enqueue, run_job
from tests.integration.benefits.world import World

_numbers = itertools.count(1)


@pytest.fixture
def world(brand: Any, at: datetime) -> World:
    """Return makers inside `brand`; everything is rolled back."""
    return World(at)


@pytest.fixture
def committed_world(committed_brand: Any, at: datetime) -> World:
    """Return makers inside a brand of its own, committed."""
    return World(at)


@pytest.fixture
def run() -> Callable[..., dict[str, Any]]:
    """Return a runner of jobs that gives their result."""

    def run(kind: str, *, at: datetime) -> dict[str, Any]:
        job = enqueue(kind=kind, dedupe_key=f"test-{next(_numbers)}", by=SYSTEM, at=at)
        run_job(job_id=job.pk, at=at)
        job.refresh_from_db()
        assert job.state == Job.State.DONE, job.error
        result: dict[str, Any] = job.result
        return result

    return run

"""Jobs, as the brand's systems follow them."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from api.base import BrandView
from api.brand_v1 import shapes
from api.openapi import PROBLEMS
from tenants.jobs.queries import get_job


class JobOut(serializers.Serializer[Any]):
    """A job and how far it is."""

    id = serializers.IntegerField()
    kind = serializers.CharField()
    state = serializers.CharField()
    done = serializers.IntegerField()
    total = serializers.IntegerField(allow_null=True)
    result = serializers.DictField(allow_null=True)
    error = serializers.CharField(allow_blank=True)
    finished_at = serializers.DateTimeField(allow_null=True)


class JobDetail(BrandView):
    """One job of the brand."""

    scopes = {"GET": "jobs:read"}

    @extend_schema(operation_id="jobs_get", responses={200: JobOut, **PROBLEMS})
    def get(self, request: Request, job_id: int) -> Response:
        """Return a job with its progress and result."""
        job = get_job(job_id=job_id)
        return Response(
            {
                "id": job.pk,
                "kind": job.kind,
                "state": job.state,
                "done": job.progress_done,
                "total": job.progress_total,
                "result": job.result,
                "error": job.error,
                "finished_at": shapes.time(job.finished_at),
            }
        )

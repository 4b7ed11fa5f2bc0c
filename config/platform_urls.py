"""URLs of the platform's own host: sign-up of brands, the operator's pages, metrics."""

from django.urls import include, path

from config.platform import metrics, operator, outbox, sign_up

handler400 = "core.web.errors.bad_request"
handler403 = "core.web.errors.permission_denied"
handler404 = "core.web.errors.page_not_found"
handler500 = "core.web.errors.server_error"

urlpatterns = [
    path("", sign_up.start, name="sign_up"),
    path("confirm/", sign_up.confirm, name="sign_up_confirm"),
    path("operator/", operator.brands, name="operator_brands"),
    path("operator/brands/new/", operator.create, name="operator_create"),
    path("operator/brands/<slug:slug>/suspend/", operator.suspend, name="operator_suspend"),
    path(
        "operator/brands/<slug:slug>/reactivate/", operator.reactivate, name="operator_reactivate"
    ),
    path("operator/jobs/", operator.jobs, name="operator_jobs"),
    path("operator/jobs/<int:job_id>/retry/", operator.retry, name="operator_retry"),
    path("outbox/", outbox.outbox, name="outbox"),
    path("metrics", metrics.metrics, name="metrics"),
    path("accounts/", include("allauth.urls")),
    path("", include("core.web.urls")),
]

"""URLs of a brand's host: the portal at `/`, the console, the APIs, signing in."""

from django.urls import include, path
from django.views.generic import RedirectView

handler400 = "core.web.errors.bad_request"
handler403 = "core.web.errors.permission_denied"
handler404 = "core.web.errors.page_not_found"
handler500 = "core.web.errors.server_error"

urlpatterns = [
    path("", include("core.web.urls")),
    path("console/", include("console.urls")),
    path("api/", include("api.urls")),
    # A member's address is the one on file; nobody changes it apart from that.
    path("accounts/email/", RedirectView.as_view(pattern_name="mfa_index")),
    path("accounts/", include("allauth.urls")),
    path("", include("portal.urls")),
]

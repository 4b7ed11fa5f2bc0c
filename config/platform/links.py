"""Addresses of brands' pages, as a browser reaches them."""

from django.conf import settings
from django.http import HttpRequest

from tenants.brands.models import Brand


def brand_url(brand: Brand, path: str = "/", *, request: HttpRequest | None = None) -> str:
    """Return the address of a page of a brand; the port is that of the request, if there is one."""
    host = f"{brand.slug}.{settings.PLATFORM_HOST}"
    if request is not None:
        port = request.get_port()
        secure = request.is_secure()
    else:
        port, secure = str(settings.PUBLIC_PORT), settings.PUBLIC_SCHEME == "https"
    suffix = "" if port == ("443" if secure else "80") else f":{port}"
    return f"{'https' if secure else 'http'}://{host}{suffix}{path}"

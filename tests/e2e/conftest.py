"""A real server and a real browser: what members and staff see, with everything that goes wrong."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, Request, Response, sync_playwright

from config.demo.programme import Programme
from tenants.brands.models import Brand
from tests.integration.api.conftest import _set_up as set_up

CHROMIUM = Path("/usr/bin/chromium")
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
_FLAGS += ["--disable-background-networking"]
# Runs before any script of a page: what the security policy stopped is kept for the test.
_WATCH = """
window.__violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
    window.__violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
});
"""


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base's name
        """Say nothing: pytest's output is for results."""


class _Server(ThreadedWSGIServer):
    """One thread per request, each giving its database connection back at its end."""

    daemon_threads = True

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            connection.close()


_REPLACED = ("htmx:sendAbort", "htmx:afterRequest")


@dataclass
class Site:
    """A brand's address on this machine."""

    brand: Brand
    programme: Programme
    port: int

    @property
    def url(self) -> str:
        """Return the address that browsers use; they resolve every name under `localhost`."""
        return f"http://{self.host}:{self.port}"

    @property
    def host(self) -> str:
        return f"{self.brand.slug}.{settings.PLATFORM_HOST}"


@dataclass
class Visitor:
    """A browser window of one person, and everything that went wrong in it."""

    site: Site
    page: Page
    problems: list[str] = field(default_factory=list)
    # Answers that the test provokes: their line in the browser's console is no problem.
    expected_status: set[int] = field(default_factory=set)
    # Every time the browser loaded a whole page.
    loads: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """Go to a page and check it."""
        answer = self.page.goto(f"{self.site.url}{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        self.check()
        return self.page

    def wear(self, theme: str) -> None:
        """Choose light or dark from the next page on."""
        self.page.context.add_cookies([{"name": "ui_theme", "value": theme, "url": self.site.url}])

    def sign_in(self, email: str) -> None:
        """Sign in with the code that the mail brings."""
        before = len(mail.outbox)
        self.open("/accounts/login/")
        self.page.fill("#code-email", email)
        self.page.click("form:has(#code-email) button[type=submit]")
        self.page.wait_for_selector("input[name=code]")
        self.check()
        sent = mail.outbox[before:]
        assert [message.to for message in sent] == [[email]]
        found = re.search(r"^(\d{6})$", str(sent[0].body), re.MULTILINE)
        assert found, sent[0].body
        self.page.fill("input[name=code]", found[1])
        self.page.click("form:has(input[name=code]) button[type=submit]")
        self.page.wait_for_url(lambda url: "/accounts/" not in url)
        self.check()
        # That code proved the address: no second mail asks for it once more.
        assert len(mail.outbox) == before + 1

    def text(self) -> str:
        """Return what the page says."""
        return self.page.inner_text("body")

    def check(self) -> None:
        """Fail on components that were not rendered and on what the policy stopped."""
        assert "<c-" not in self.page.content()
        blocked = self.page.evaluate("window.__violations")
        assert blocked == [], f"{self.page.url}: {blocked}"
        assert self.problems == [], f"{self.page.url}: {self.problems}"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Return the system's Chromium; closed with the module, and its event loop with it."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: the browser tests did not run")
    # Playwright keeps an event loop in this thread, which Django takes for asynchronous code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS)
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def site(committed_brand: Brand) -> Iterator[Site]:
    """Return the address of a fresh brand with a whole programme, served over HTTP."""
    programme = set_up()
    server = _Server(("127.0.0.1", 0), _QuietHandler)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Site(committed_brand, programme, server.server_address[1])
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def visitor(chromium: Browser, site: Site) -> Iterator[Callable[..., Visitor]]:
    """Return a maker of browser windows with cookies of their own."""
    contexts: list[BrowserContext] = []

    def make(*, width: int = 390, height: int = 844, theme: str = "light") -> Visitor:
        context = chromium.new_context(viewport={"width": width, "height": height})
        context.add_init_script(_WATCH)
        context.add_cookies([{"name": "ui_theme", "value": theme, "url": site.url}])
        context.set_default_timeout(20_000)
        contexts.append(context)
        made = Visitor(site, context.new_page())

        def hear(message: Any) -> None:
            told = [str(status) for status in made.expected_status if str(status) in message.text]
            # A newer request took its place: htmx says so by these two. One that failed says more.
            told += [name for name in _REPLACED if message.text.startswith(name)]
            if message.type in {"error", "warning"} and not told:
                made.problems.append(f"console: {message.text}")

        def look(response: Response) -> None:
            if response.status >= 400 and response.status not in made.expected_status:
                made.problems.append(f"{response.status}: {response.url}")

        def count(request: Request) -> None:
            if request.is_navigation_request():
                made.loads.append(request.url)

        def miss(request: Request) -> None:
            # What htmx replaced by a newer request was not wanted any more.
            if "ERR_ABORTED" not in (request.failure or ""):
                made.problems.append(f"failed: {request.url} {request.failure}")

        made.page.on("request", count)
        made.page.on("requestfailed", miss)
        made.page.on("console", hear)
        made.page.on("pageerror", lambda error: made.problems.append(f"error: {error}"))
        made.page.on("response", look)
        return made

    yield make
    for context in contexts:
        context.close()

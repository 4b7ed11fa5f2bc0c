"""What outside systems and the nightly jobs do during a browser test."""

from typing import Any

import requests

from benefits.grants.issuing import issue
from benefits.grants.periods import rule_start
from benefits.rules.models import GrantRule
from benefits.rules.periods import period_on
from core import clock
from tenants.events.operations import deliver_pending
from tests.e2e.conftest import Site


class Caller:
    """An outside system that calls an API over HTTP with its key."""

    def __init__(self, site: Site, key: str, base: str) -> None:
        # The name of the host is only in the header: not every resolver knows *.localhost.
        self._base = f"http://127.0.0.1:{site.port}/api/{base}/v1/"
        self._headers = {"Host": f"{site.host}:{site.port}", "Authorization": f"Bearer {key}"}

    def __call__(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = requests.request(
            method, self._base + path, json=body, headers=self._headers, timeout=20
        )
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()


def relay() -> None:
    """Bring events to their handlers, as the worker does after a commit."""
    while deliver_pending(at=clock.now()):
        pass


def hold_nobody_out() -> None:
    """Let every member have the facials: that one in ten gets nothing is another test's matter."""
    GrantRule.objects.filter(code="facial-monthly").update(hold_out_bp=0)


def issue_monthly(*, code: str = "facial-monthly") -> int:
    """Issue the month's units of a rule, as the nightly job does; return how many there were."""
    rule = GrantRule.objects.get(code=code)
    at = clock.now()
    period = period_on(
        cadence=rule.cadence,
        on=clock.local_date(at, "Asia/Shanghai"),
        every_months=rule.every_months,
        since=rule_start(rule),
    )
    return issue(rule=rule, period=period, at=at).units

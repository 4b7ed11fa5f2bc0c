"""Nothing that names a person gets into the logs."""

from typing import Any

import pytest

from core.logs import mask_personal_data


@pytest.mark.parametrize(
    ("key", "given", "logged"),
    [
        ("request", "GET /console/members/?q=%E7%8E%8B", "GET /console/members/"),
        ("request", "GET /console/members/", "GET /console/members/"),
        ("request", "PUT /api/brand/v1/members/C-1/points", "PUT /api/brand/v1/members/***/points"),
        ("event", "mail to ann@example.com", "mail to ***@***"),
        ("event", "call +86 138 0013 8000", "call ***"),
        ("error", "key tsk_live_abc123 refused", "key ts*_*** refused"),
    ],
)
def test_texts_are_masked(key: str, given: str, logged: str) -> None:
    event: dict[str, Any] = {key: given, "number": 7}
    assert mask_personal_data(None, "info", event) == {key: logged, "number": 7}

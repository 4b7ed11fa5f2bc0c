"""What is drafted, started, paused and ended, with a form and the rows of a condition."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.functional import Promise

from console.access import StaffRequest, staff_page
from console.conditions import ConditionRows
from console.dialogs import finish
from console.fields import place_error
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.web.responses import render_page

Saved = TypeVar("Saved")


def change_with_rows(
    request: HttpRequest,
    form: forms.Form,
    *,
    stored: Mapping[str, Any] | None,
    save: Callable[[dict[str, Any]], Saved],
    done: Callable[[Saved], HttpResponse],
    show: Callable[[ConditionRows], HttpResponse],
    names: dict[str, str] | None = None,
) -> HttpResponse:
    """Save what a form and the rows of its condition say, and answer with `done`.

    `stored` is the condition as it is now; one that rows cannot show is saved as it was. A
    refusal is put beside its field (`names` maps the domain's names to the form's) and `show`
    answers with form and rows.
    """
    rows = ConditionRows.from_tree(stored)
    if form.is_bound and rows.other is None:
        rows = ConditionRows.from_post(request.POST)
    if form.is_valid():
        try:
            return done(save(rows.tree()))
        except DomainError as error:
            place_error(form, error, names=names)
    return show(rows)


def show_with_rows(
    request: StaffRequest,
    form: forms.Form,
    found: ConditionRows,
    *,
    template: str,
    title: str,
    active: str,
    **more: Any,
) -> HttpResponse:
    """Show a form with the rows of its condition in the dialog; with 422 when it is not valid."""
    context = {
        **shell(request, active=active),
        "page_title": title,
        "form": form,
        "rows": found,
        "action": request.get_full_path(),
        **more,
    }
    status = 422 if form.is_bound and form.errors else 200
    return render_page(request, template, context, partial="form", status=status)


def mover(
    move: Callable[..., Any],
    message: str | Promise,
    *,
    key: str,
    permission: str,
    url: Callable[[int], str],
    changed: str,
) -> Callable[..., HttpResponseBase]:
    """Return a page that moves a row to another state; `key` names its argument everywhere."""

    @staff_page(permission, methods=("POST",))
    def moved(request: StaffRequest, **place: int) -> HttpResponse:
        move(**place, by=request.actor, at=clock.now())
        return finish(request, message, changed=changed, url=url(place[key]))

    return moved

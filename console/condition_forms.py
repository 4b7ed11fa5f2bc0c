"""Forms with the rows of a condition: read both, save, or show both again with what is wrong."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from django import forms
from django.http import HttpRequest, HttpResponse

from console.conditions import ConditionRows
from console.fields import place_error
from core.errors import DomainError

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

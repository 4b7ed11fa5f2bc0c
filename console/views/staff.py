"""Staff: who works in this console, with which role."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l
from django.utils.translation import pgettext_lazy

from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from console.nav import shell
from core import clock
from core.errors import DomainError, NotFoundError
from core.web.responses import render_page
from tenants.accounts import operations
from tenants.accounts import permissions as p
from tenants.accounts.models import StaffMember
from tenants.accounts.queries import list_staff

_Role = StaffMember.Role
_DUTIES: dict[str, str | Promise] = {
    _Role.OWNER: _l("Everything, staff and keys included"),
    _Role.MANAGER: _l("Members, tiers, benefits, rules, mall, partners; asks for reserve money"),
    _Role.ANALYST: _l("Sees all figures, keeps segments"),
    _Role.FINANCE: _l("Budget, approves reserve money, reads the audit"),
    _Role.SUPPORT: _l("Helps members: profiles, points, redemptions, orders"),
    _Role.ACCOUNT_MANAGER: _l("Looks after members: profiles, benefits, orders"),
}


@staff_page(p.STAFF_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List who works here, those active first."""
    context = {
        **shell(request, active="staff"),
        "page_title": _("Staff"),
        "rows": [
            {"row": row, "duties": _DUTIES.get(row.role, ""), "is_me": row.pk == request.staff.pk}
            for row in list_staff()
        ],
    }
    return render_page(request, "console/staff.html", context, partial="rows")


class RoleForm(forms.Form):
    """What somebody may do."""

    role = forms.ChoiceField(label=_l("Role"), widget=forms.RadioSelect())

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        chooser: Any = self.fields["role"]
        chooser.choices = [(role.value, f"{role.label} – {_DUTIES[role]}") for role in _Role]


class InviteForm(RoleForm):
    """Somebody who shall work here."""

    email = forms.EmailField(label=_l("E-mail"), help_text=_l("They sign in by a code sent there."))
    name = forms.CharField(label=pgettext_lazy("of a person", "Name"), max_length=120)
    field_order = ("email", "name", "role")


def _staff(staff_id: int) -> StaffMember:
    found = next((row for row in list_staff() if row.pk == staff_id), None)
    if found is None:
        raise NotFoundError
    return found


@staff_page(p.STAFF_EDIT, methods=("GET", "POST"))
def invite(request: StaffRequest) -> HttpResponse:
    """Give an address a role in the console."""
    form = InviteForm(request.POST or None)
    if form.is_valid():
        try:
            operations.invite_staff(by=request.actor, at=clock.now(), **form.cleaned_data)
        except operations.AlreadyStaffError:
            form.add_error("email", _("This address belongs to staff already."))
        else:
            url = reverse("console:staff")
            return finish(request, _("Invited. They can sign in now."), changed="staff", url=url)
    title, submit = _("Invite staff"), _("Invite")
    return show_form(request, form, title=title, active="staff", submit=submit)


@staff_page(p.STAFF_EDIT, methods=("GET", "POST"))
def change_role(request: StaffRequest, staff_id: int) -> HttpResponse:
    """Give somebody another role; never oneself."""
    row = _staff(staff_id)
    form = RoleForm(request.POST or None, initial={"role": row.role})
    if form.is_valid():
        try:
            operations.change_role(
                staff=row, role=form.cleaned_data["role"], by=request.actor, at=clock.now()
            )
        except DomainError as error:
            _explain(form, error)
        else:
            url = reverse("console:staff")
            return finish(request, _("The role is changed."), changed="staff", url=url)
    title = _("Role of %(name)s") % {"name": row.user.get_full_name()}
    return show_form(request, form, title=title, active="staff")


@staff_page(p.STAFF_EDIT, methods=("GET", "POST"))
def deactivate(request: StaffRequest, staff_id: int) -> HttpResponse:
    """Take somebody out of the console; what they did stays."""
    row = _staff(staff_id)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            operations.deactivate(staff=row, by=request.actor, at=clock.now())
        except DomainError as error:
            _explain(form, error)
        else:
            url = reverse("console:staff")
            return finish(request, _("Taken out of the console."), changed="staff", url=url)
    return show_form(
        request,
        form,
        title=_("Take %(name)s out of the console") % {"name": row.user.get_full_name()},
        active="staff",
        lead=_("They can no longer open it. What they did stays in the audit."),
        submit=_("Take out"),
        tone="danger",
    )


def _explain(form: forms.Form, error: DomainError) -> None:
    texts = {
        "last_owner": _("The brand needs an owner: give somebody else this role first."),
        "four_eyes": _("Nobody may change their own role: ask a colleague."),
    }
    if error.code in texts:
        form.add_error(None, texts[error.code])
    else:
        refuse(form, error)

"""Appointments of a benefit: its calendars by store, closed days, and who comes when."""

import re
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import Http404, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.booking import operations, queries
from benefits.booking.models import BookingCalendar
from benefits.booking.values import Appointment, Hours
from benefits.catalogue.models import Benefit
from benefits.catalogue.queries import get_benefit
from benefits.grants import operations as grants
from benefits.grants.appointments import get_appointment, redemption_id_of
from benefits.grants.models import Redemption
from benefits.grants.queries import get_redemption, list_by_id
from console.access import StaffRequest, staff_page
from console.dialogs import finish, refuse, show_form
from core import clock
from core.errors import DomainError
from members.activity.queries import list_stores
from tenants.accounts import permissions as p
from tenants.brands.context import current_brand

AGENDA_DAYS = 7
_WEEKDAYS = (
    _l("Monday"),
    _l("Tuesday"),
    _l("Wednesday"),
    _l("Thursday"),
    _l("Friday"),
    _l("Saturday"),
    _l("Sunday"),
)
_STRETCH = re.compile(r"(\d{1,2})[::](\d{2})\s*[-–—~～至]\s*(\d{1,2})[::](\d{2})")


def store_names() -> dict[str, str]:
    """Return the names of the brand's stores by code."""
    return {row.code: row.name for row in list_stores()}


def appointments_tab(benefit: Benefit, *, from_on: str) -> dict[str, Any]:
    """Return what the tab shows: calendars with hours, and the agenda of a week."""
    brand = current_brand()
    today = clock.today(brand.timezone)
    first = _day(from_on) or today
    names = store_names()
    calendars = queries.list_calendars(benefit_id=benefit.pk, active_only=False)
    booked = queries.list_appointments(
        calendars=calendars, from_on=first, to_on=first + timedelta(days=AGENDA_DAYS)
    )
    redemptions = list_by_id(
        ids=[redemption_id_of(one) for found in booked.values() for one in found]
    )
    rows = [
        {
            "calendar": calendar,
            "store": names.get(calendar.store_code, calendar.store_code) or _("Any store"),
            "hours": _by_weekday(queries.list_hours(calendar=calendar)),
            "closed": queries.list_closed_days(calendar=calendar, since=today),
            "agenda": _agenda(booked[calendar.pk], redemptions),
        }
        for calendar in calendars
    ]
    return {
        "calendars": rows,
        "agenda_from": first,
        "agenda_to": first + timedelta(days=AGENDA_DAYS - 1),
        "agenda_before": (first - timedelta(days=AGENDA_DAYS)).isoformat(),
        "agenda_after": (first + timedelta(days=AGENDA_DAYS)).isoformat(),
    }


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _by_weekday(hours: list[Hours]) -> list[dict[str, Any]]:
    return [
        {
            "day": name,
            "text": ", ".join(
                f"{_clock(row.opens_minute)}–{_clock(row.closes_minute)}"
                for row in hours
                if row.weekday == weekday
            ),
        }
        for weekday, name in enumerate(_WEEKDAYS)
    ]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _agenda(found: list[Appointment], redemptions: dict[int, Redemption]) -> list[dict[str, Any]]:
    return [
        {"appointment": one, "redemption": redemptions.get(redemption_id_of(one))} for one in found
    ]


class HoursField(forms.Field):
    """Opening hours of one weekday, such as `10:00–14:00, 15:00–19:00`; empty: closed."""

    def __init__(self, weekday: int, **options: Any) -> None:
        super().__init__(required=False, **options)
        self.weekday = weekday

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, list):
            return ", ".join(
                f"{_clock(row.opens_minute)}–{_clock(row.closes_minute)}" for row in value
            )
        return value

    def to_python(self, value: Any) -> list[Hours]:
        found = []
        for part in filter(None, re.split(r"[,;，；、]", str(super().to_python(value) or ""))):
            match = _STRETCH.fullmatch(part.strip())
            if match is None:
                raise forms.ValidationError(_("Write hours as 10:00–14:00, 15:00–19:00."))
            first, second, third, fourth = (int(text) for text in match.groups())
            found.append(Hours(self.weekday, first * 60 + second, third * 60 + fourth))
        return found


class CalendarForm(forms.Form):
    """One store's calendar."""

    slot_minutes = forms.IntegerField(
        label=_l("Minutes per appointment"), min_value=5, max_value=1_440, initial=60
    )
    capacity = forms.IntegerField(
        label=_l("Members at the same time"), min_value=1, max_value=1_000, initial=1
    )
    lead_hours = forms.IntegerField(
        label=_l("Booked at least so many hours ahead"), min_value=0, max_value=2_000, initial=2
    )
    change_hours = forms.IntegerField(
        label=_l("Changed at least so many hours ahead"), min_value=0, max_value=2_000, initial=24
    )
    horizon_days = forms.IntegerField(
        label=_l("Days that can be booked ahead"), min_value=1, max_value=366, initial=30
    )
    is_active = forms.BooleanField(label=_l("Takes bookings"), required=False, initial=True)

    def __init__(self, *args: Any, fixed: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not fixed:
            self.fields["store_code"] = forms.ChoiceField(
                label=_("Store"),
                required=False,
                choices=[("", _("Any store")), *sorted(store_names().items())],
            )
        self.order_fields(["store_code"])
        for weekday, name in enumerate(_WEEKDAYS):
            example = "10:00–18:00" if weekday < 5 else ""
            self.fields[f"day_{weekday}"] = HoursField(
                weekday,
                label=name,
                initial=example,
                widget=forms.TextInput(attrs={"placeholder": _("closed")}),
            )

    @property
    def hours(self) -> list[Hours]:
        """The hours of the week, once the form is valid."""
        return [row for day in range(7) for row in self.cleaned_data[f"day_{day}"]]


def _place_hours_error(form: CalendarForm, error: DomainError) -> None:
    """Put a refusal of the n-th stretch on the weekday that it stands in."""
    parts = str(error.data.get("pointer", "")).strip("/").split("/")
    if parts[0] == "hours" and len(parts) > 1 and parts[1].isdigit():
        form.add_error(f"day_{form.hours[int(parts[1])].weekday}", error.detail)
    elif parts[0] == "hours":
        form.add_error("day_0", error.detail)
    else:
        refuse(form, error)


def _url(benefit: Benefit) -> str:
    return f"{reverse('console:benefit', args=[benefit.code])}?tab=appointments"


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest, code: str) -> HttpResponse:
    """Take bookings for a benefit in one more store."""
    return _edit(request, get_benefit(code=code), None)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def edit(request: StaffRequest, code: str, calendar_id: int) -> HttpResponse:
    """Change the calendar of a store."""
    benefit = get_benefit(code=code)
    return _edit(request, benefit, _calendar(benefit, calendar_id))


def _calendar(benefit: Benefit, calendar_id: int) -> BookingCalendar:
    for row in queries.list_calendars(benefit_id=benefit.pk, active_only=False):
        if row.pk == calendar_id:
            return row
    raise Http404(_("There is nothing to book here."))


def _edit(
    request: StaffRequest, benefit: Benefit, calendar: BookingCalendar | None
) -> HttpResponse:
    form = CalendarForm(
        request.POST or None, initial=_initial(calendar), fixed=calendar is not None
    )
    facts: dict[str, Any] = {
        "title": _("Appointments"),
        "submit": _("Save"),
        "active": "benefits",
        "lead": _("Times are those of the brand. Who has booked keeps the time."),
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = form.cleaned_data
    try:
        operations.set_calendar(
            benefit=benefit,
            store_code=data.get("store_code", "") if calendar is None else calendar.store_code,
            hours=form.hours,
            slot_minutes=data["slot_minutes"],
            capacity=data["capacity"],
            lead_minutes=data["lead_hours"] * 60,
            change_minutes=data["change_hours"] * 60,
            horizon_days=data["horizon_days"],
            is_active=data["is_active"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        _place_hours_error(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Saved."), changed="benefits", url=_url(benefit))


def _initial(calendar: BookingCalendar | None) -> dict[str, Any]:
    if calendar is None:
        return {}
    hours = queries.list_hours(calendar=calendar)
    return {
        "slot_minutes": calendar.slot_minutes,
        "capacity": calendar.capacity,
        "lead_hours": calendar.lead_minutes // 60,
        "change_hours": calendar.change_minutes // 60,
        "horizon_days": calendar.horizon_days,
        "is_active": calendar.is_active,
        **{f"day_{day}": [row for row in hours if row.weekday == day] for day in range(7)},
    }


class ClosedDayForm(forms.Form):
    """A day on which nobody is served."""

    closed_on = forms.DateField(label=_l("Day"), widget=forms.DateInput(attrs={"type": "date"}))
    reason = forms.CharField(label=_l("Reason"), required=False, max_length=120)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def close_day(request: StaffRequest, code: str, calendar_id: int) -> HttpResponse:
    """Close a day, such as a holiday."""
    benefit = get_benefit(code=code)
    calendar = _calendar(benefit, calendar_id)
    form = ClosedDayForm(request.POST or None)
    facts: dict[str, Any] = {
        "title": _("Close a day"),
        "submit": _("Close the day"),
        "active": "benefits",
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    data = form.cleaned_data
    try:
        operations.close_day(
            calendar=calendar,
            on=data["closed_on"],
            reason=data["reason"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    return finish(request, _("Closed."), changed="benefits", url=_url(benefit))


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def open_day(request: StaffRequest, code: str, calendar_id: int, day: str) -> HttpResponse:
    """Take bookings on a closed day again."""
    benefit = get_benefit(code=code)
    on = _day(day)
    if on is None:
        raise Http404(_("There is nothing to book here."))
    operations.open_day(
        calendar=_calendar(benefit, calendar_id), on=on, by=request.actor, at=clock.now()
    )
    return finish(request, _("Open again."), changed="benefits", url=_url(benefit))


class MoveForm(forms.Form):
    """Another time for an appointment."""

    slot_at = forms.DateTimeField(
        label=_l("New time"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, benefit: Benefit, **options: Any) -> None:
        super().__init__(*args, **options)
        names = store_names()
        self.fields["store"] = forms.ChoiceField(
            label=_("Store"),
            required=False,
            choices=[
                (row.store_code, names.get(row.store_code, row.store_code) or _("Any store"))
                for row in queries.list_calendars(benefit_id=benefit.pk)
            ],
        )


@staff_page(p.ORDERS_EDIT, methods=("GET", "POST"))
def move(request: StaffRequest, redemption_id: int) -> HttpResponse:
    """Move a member's appointment, also after the member's own deadline."""
    redemption = get_redemption(id=redemption_id)
    held = get_appointment(redemption=redemption)
    if held is None:
        raise Http404(_("There is no appointment."))
    zone = ZoneInfo(current_brand().timezone)
    initial = {"slot_at": held.starts_at.astimezone(zone), "store": held.store_code}
    form = MoveForm(request.POST or None, initial=initial, benefit=redemption.benefit)
    calendar = queries.get_calendar(benefit_id=redemption.benefit_id, store_code=held.store_code)
    facts: dict[str, Any] = {
        "title": _("Move the appointment"),
        "submit": _("Move"),
        "active": "redemptions",
        "lead": _next_times(calendar, zone),
    }
    if not form.is_valid():
        return show_form(request, form, **facts)
    try:
        grants.reschedule(
            redemption=redemption,
            slot_at=form.cleaned_data["slot_at"],
            store_code=form.cleaned_data["store"],
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, **facts)
    url = reverse("console:redemption", args=[redemption.pk])
    return finish(request, _("Moved."), changed="redemptions", url=url)


def _next_times(calendar: BookingCalendar, zone: ZoneInfo) -> str:
    at = clock.now()
    days = queries.list_free_slots(
        calendar=calendar, from_on=clock.local_date(at, zone), days=14, at=at
    )
    times = [slot.starts_at for day in days for slot in day.slots][:5]
    if not times:
        return _("No time is free in the next two weeks.")
    shown = ", ".join(f"{moment.astimezone(zone):%Y-%m-%d %H:%M}" for moment in times)
    return _("The next free times: %(times)s") % {"times": shown}

"""Experience officers: rounds, who takes part, what they found, what is told in public."""

from typing import Any

from django import forms
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from benefits.catalogue.queries import get_benefit, list_benefits, localized
from benefits.officers import operations, queries
from benefits.officers.models import OfficerFinding, OfficerIdea
from console.access import StaffRequest, staff_page
from console.dialogs import finish, lead_on, refuse, show_form
from console.forms import DateInput
from console.nav import shell
from core import clock
from core.errors import DomainError
from core.web.responses import render_page
from members.segments.queries import list_segments
from tenants.accounts import permissions as p


class RoundForm(forms.Form):
    """A new round."""

    benefit = forms.ChoiceField(label=_l("Benefit"))
    title = forms.CharField(label=_l("Title"), max_length=80)
    brief = forms.CharField(
        label=_l("What officers are asked to do"),
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1_000,
        required=False,
    )
    segment = forms.ChoiceField(label=_l("Who is invited"), required=False)
    seats = forms.IntegerField(label=_l("Seats"), min_value=1, max_value=500, initial=20)
    ends_on = forms.DateField(label=_l("First day after the round"), widget=DateInput())
    trial_units = forms.IntegerField(label=_l("Units to try"), min_value=0, max_value=20, initial=1)
    thank_points = forms.IntegerField(label=_l("Thank-you points"), min_value=0, initial=200)
    least_entries = forms.IntegerField(
        label=_l("Diary entries that earn them"), min_value=1, max_value=60, initial=1
    )
    questions = forms.CharField(
        label=_l("Questions, scored 1 to 5"),
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_l("One a line, eight at most."),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        language = get_language()
        self.segments = {str(row.pk): row for row in list_segments()}
        self.fields["benefit"].choices = [  # type: ignore[attr-defined]
            (row.code, localized(row.name, language)) for row in list_benefits()
        ]
        self.fields["segment"].choices = [  # type: ignore[attr-defined]
            ("", _("All members")),
            *((key, row.name) for key, row in self.segments.items()),
        ]


class OpenForm(forms.Form):
    """How many to invite."""

    invite = forms.IntegerField(
        label=_l("Members to invite"),
        min_value=1,
        help_text=_l("Drawn evenly from the audience; whoever answers first takes a seat."),
    )


class FindingForm(forms.Form):
    """What was found."""

    cause = forms.ChoiceField(label=_l("Cause"), choices=OfficerFinding.Cause.choices)
    words = forms.CharField(
        label=_l("What was found"), widget=forms.Textarea(attrs={"rows": 3}), max_length=500
    )


class ReplyForm(forms.Form):
    """What becomes of an idea."""

    state = forms.ChoiceField(label=_l("Decision"), choices=OfficerIdea.State.choices[1:])
    reply = forms.CharField(label=_l("Answer to the officers"), max_length=300)


class NoteForm(forms.Form):
    """The public note."""

    you_said = forms.CharField(label=_l("You said"), widget=forms.Textarea(attrs={"rows": 3}))
    we_did = forms.CharField(label=_l("We did"), widget=forms.Textarea(attrs={"rows": 3}))


@staff_page(p.BENEFITS_VIEW)
def index(request: StaffRequest) -> HttpResponse:
    """List the rounds, the latest first."""
    context = {
        **shell(request, active="officers"),
        "page_title": _("Experience officers"),
        "rounds": queries.list_rounds(),
    }
    return render_page(request, "console/officers.html", context, partial="rows")


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def create(request: StaffRequest) -> HttpResponse:
    """Prepare a round."""
    title = _("New round of officers")
    form = RoundForm(request.POST or None, initial={"benefit": request.GET.get("benefit", "")})
    if not form.is_valid():
        return show_form(request, form, title=title, active="officers")
    data = form.cleaned_data
    segment = form.segments.get(data["segment"])
    try:
        made = operations.create_round(
            benefit=get_benefit(code=data["benefit"]),
            title=data["title"],
            brief=data["brief"],
            condition=segment.condition if segment is not None else None,
            seats=data["seats"],
            ends_on=data["ends_on"],
            trial_units=data["trial_units"],
            thank_points=data["thank_points"],
            least_entries=data["least_entries"],
            questions=data["questions"].splitlines(),
            by=request.actor,
            at=clock.now(),
        )
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="officers")
    said = _("Prepared. Nobody is invited before you open it.")
    return lead_on(request, said, url=reverse("console:officer_round", args=[made.pk]))


@staff_page(p.BENEFITS_VIEW)
def show(request: StaffRequest, round_id: int) -> HttpResponse:
    """Show a round: figures, diary, ideas, findings, the public note."""
    found = queries.get_round(round_id=round_id)
    context = {
        **shell(request, active="officers"),
        "page_title": found.title,
        "page_pretitle": localized(found.benefit.name, get_language()),
        "round": found,
        "figures": queries.figures(officer_round=found),
        "entries": queries.list_entries(officer_round=found),
        "ideas": queries.list_ideas(officer_round=found),
        "findings": queries.list_findings(officer_round=found),
    }
    return render_page(request, "console/officer_round.html", context, partial="round")


def _done(request: StaffRequest, message: str, round_id: int) -> HttpResponse:
    return finish(
        request, message, changed="officers", url=reverse("console:officer_round", args=[round_id])
    )


def _form_step(
    request: StaffRequest, form: forms.Form, title: str, act: Any, said: str, key: int
) -> HttpResponse:
    """Show a form; once it is valid do `act`, and put a refusal beside its field."""
    if not form.is_valid():
        return show_form(request, form, title=title, active="officers")
    try:
        act(**form.cleaned_data, by=request.actor, at=clock.now())
    except DomainError as error:
        refuse(form, error)
        return show_form(request, form, title=title, active="officers")
    return _done(request, said, key)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def open_round(request: StaffRequest, round_id: int) -> HttpResponse:
    """Open a round and invite."""
    found = queries.get_round(round_id=round_id)
    form = OpenForm(request.POST or None, initial={"invite": found.seats * 3})

    def act(**data: Any) -> None:
        operations.open_round(officer_round=found, **data)

    return _form_step(request, form, _("Open the round"), act, _("Opened: invited."), round_id)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def find(request: StaffRequest, round_id: int) -> HttpResponse:
    """Write down what was found."""
    found = queries.get_round(round_id=round_id)
    form = FindingForm(request.POST or None)

    def act(**data: Any) -> None:
        operations.add_finding(officer_round=found, **data)

    return _form_step(request, form, _("New finding"), act, _("Written down."), round_id)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def reply(request: StaffRequest, idea_id: int) -> HttpResponse:
    """Answer an idea."""
    idea = queries.get_idea(idea_id=idea_id)
    form = ReplyForm(request.POST or None, initial={"reply": idea.reply})

    def act(**data: Any) -> None:
        operations.answer_idea(idea=idea, **data)

    return _form_step(request, form, _("Answer this idea"), act, _("Answered."), idea.seat.round_id)


@staff_page(p.BENEFITS_EDIT, methods=("GET", "POST"))
def publish(request: StaffRequest, round_id: int) -> HttpResponse:
    """Tell all members what was said and done."""
    found = queries.get_round(round_id=round_id)
    initial = {"you_said": found.you_said, "we_did": found.we_did}
    form = NoteForm(request.POST or None, initial=initial)

    def act(**data: Any) -> None:
        operations.publish_note(officer_round=found, **data)

    return _form_step(
        request, form, _("You said, we did"), act, _("Members can read it now."), round_id
    )


@staff_page(p.BENEFITS_EDIT, methods=("POST",))
def close(request: StaffRequest, round_id: int) -> HttpResponse:
    """End a round and thank."""
    thanked = operations.close_round(
        officer_round=queries.get_round(round_id=round_id), by=request.actor, at=clock.now()
    )
    said = _("Closed. Officers thanked: %(count)s") % {"count": thanked}
    return _done(request, said, round_id)


@staff_page(p.BENEFITS_VIEW)
def photo(request: StaffRequest, photo_id: int) -> HttpResponse:
    """Show a photo of a diary."""
    return photo_answer(queries.get_photo(photo_id=photo_id))


def photo_answer(found: Any) -> HttpResponse:
    """Return a photo that nothing but an image element will use."""
    answer = HttpResponse(bytes(found.content), content_type=found.media_type)
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    answer["Cache-Control"] = "private, max-age=3600"
    return answer

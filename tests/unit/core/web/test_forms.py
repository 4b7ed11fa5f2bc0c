"""Forms drawn by our renderer."""

import pytest
from django import forms


class SampleForm(forms.Form):
    name = forms.CharField(help_text="At most 40 characters")
    kind = forms.ChoiceField(choices=[("a", "A")])
    note = forms.CharField(widget=forms.Textarea(attrs={"class": "tall"}), required=False)
    ways = forms.ChoiceField(choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    agree = forms.BooleanField()
    file = forms.FileField(required=False)
    token = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean(self) -> None:
        raise forms.ValidationError("Does not fit together.")


@pytest.mark.parametrize(
    ("field", "css"),
    [
        ("name", 'class="form-control"'),
        ("kind", 'class="form-select"'),
        ("note", 'class="form-control tall"'),
        ("agree", 'class="form-check-input"'),
        ("file", 'class="form-control form-control-file"'),
    ],
)
def test_widgets_carry_our_classes(field: str, css: str) -> None:
    assert css in str(SampleForm()[field])


def test_hidden_fields_are_left_alone() -> None:
    assert "form-control" not in str(SampleForm()["token"])


def test_invalid_field_says_so_to_eyes_and_ears() -> None:
    html = SampleForm({"name": ""})["name"].as_field_group()
    assert 'class="form-control is-invalid"' in html
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_name_helptext id_name_error"' in html
    assert 'id="id_name_error"' in html
    assert 'id="id_name_helptext"' in html


def test_label_points_at_its_field_and_marks_the_required() -> None:
    html = SampleForm()["name"].as_field_group()
    assert '<label class="form-label required" for="id_name">Name</label>' in html
    assert 'class="form-label"' in SampleForm()["note"].as_field_group()


def test_choices_stand_in_a_fieldset() -> None:
    html = SampleForm()["ways"].as_field_group()
    assert html.count("form-check-input") == 2
    assert "<fieldset" in html
    assert "<legend" in html


def test_form_shows_errors_of_the_whole_first() -> None:
    html = str(SampleForm({"name": "x"}))
    assert html.index("Does not fit together.") < html.index("id_name")
    assert 'role="alert"' in html


def test_values_are_escaped() -> None:
    assert "<script" not in str(SampleForm({"name": '"><script>'}))

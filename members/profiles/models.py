"""Who the members are. What names a person is kept apart from what the programme needs.

`Member` is what every other table points to and holds no personal data; `MemberPersonal` does,
one row for one member, and can be deleted without touching any history.
"""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Cast, Concat, Greatest, Length, LPad, Right
from django.utils.translation import gettext_lazy as _

from members.profiles.values import Attribute, AttributeType, Choice
from tenants.accounts.models import User


class Member(models.Model):
    """A person enrolled with the brand, who may never have signed in.

    `number` is made by the database from the key, so that sets can be enrolled in one
    statement: `M0000123`. `external_id` is the brand's own key for the person, unique for ever:
    it is how purchases find their member.
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        BLOCKED = "blocked", _("Blocked")
        ERASED = "erased", _("Erased")

    number = models.GeneratedField(
        expression=Concat(
            models.Value("M"),
            LPad(
                Cast("id", models.CharField(max_length=19)),
                Greatest(7, Length(Cast("id", models.CharField(max_length=19)))),
                models.Value("0"),
            ),
        ),
        output_field=models.CharField(max_length=20),
        db_persist=True,
    )
    external_id = models.CharField(
        max_length=64, help_text=_("The key of this person in the brand's own systems.")
    )
    # Removing a sign-in account leaves the membership as it is.
    user = models.OneToOneField(
        User, null=True, blank=True, on_delete=models.SET_NULL, related_name="member"
    )
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.ACTIVE)
    enrolled_at = models.DateTimeField()
    region = models.CharField(max_length=40, blank=True, help_text=_("Where benefits reach them."))
    store_code = models.CharField(max_length=40, blank=True, help_text=_("The store they joined."))
    locale = models.CharField(max_length=10, blank=True, help_text=_("Empty: the brand's own."))
    tags = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    # The inviter stays known as a key as long as either member exists.
    referred_by = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            # One membership per key of the brand's systems; the operator class lets the same
            # index answer "starts with" for the console's search.
            models.UniqueConstraint(
                name="member_external_id_unique",
                fields=["external_id"],
                opclasses=["varchar_pattern_ops"],
            ),
            # The number printed on cards; the same index answers "starts with".
            models.UniqueConstraint(
                name="member_number_unique",
                fields=["number"],
                opclasses=["varchar_pattern_ops"],
            ),
            # An empty key would swallow every purchase that lacks its member.
            models.CheckConstraint(
                name="member_external_id_given", condition=~models.Q(external_id="")
            ),
        ]
        indexes = [
            # Members list of the console, newest first, and the days-since-joining field.
            models.Index(fields=["-enrolled_at", "-id"], name="member_by_enrolment"),
        ]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def is_active(self) -> bool:
        """Say whether the member may earn, redeem and sign in."""
        return self.status == self.Status.ACTIVE


class MemberPersonal(models.Model):
    """What names a person: deleted on erasure, and may be absent (imported customers).

    `name_folded` and its `grams`, the pairs of its letters and its single Chinese characters,
    are written with the name, so that a part of a name of any script is found by index;
    trigrams cannot do that for names of two characters.
    """

    # Personal data has no meaning without its member.
    member = models.OneToOneField(
        Member, on_delete=models.CASCADE, primary_key=True, related_name="personal"
    )
    name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(max_length=254, blank=True, help_text=_("Kept in small letters."))
    phone = models.CharField(
        max_length=20, blank=True, help_text=_("Digits, with a leading + for a country code.")
    )
    gender = models.CharField(max_length=20, blank=True)
    birthday = models.DateField(null=True, blank=True)
    consents = models.JSONField(default=dict, blank=True)
    name_folded = models.TextField(blank=True)
    grams = ArrayField(models.CharField(max_length=4), default=list, blank=True)
    phone_tail = models.GeneratedField(
        expression=Right("phone", 4), output_field=models.CharField(max_length=4), db_persist=True
    )

    class Meta:
        constraints = [
            # The address is the way to sign in, so it leads to one member. Also answers
            # "starts with" for the console's search.
            models.UniqueConstraint(
                name="member_email_unique",
                fields=["email"],
                opclasses=["varchar_pattern_ops"],
                condition=~models.Q(email=""),
            ),
            models.CheckConstraint(
                name="member_email_small_letters",
                condition=models.Q(email=models.functions.Lower("email")),
            ),
        ]
        indexes = [
            # Search by the beginning of a phone number.
            models.Index(
                fields=["phone"],
                name="member_phone_prefix",
                opclasses=["varchar_pattern_ops"],
                condition=~models.Q(phone=""),
            ),
            # Search by the last four digits of a phone number.
            models.Index(
                fields=["phone_tail"], name="member_phone_tail", condition=~models.Q(phone="")
            ),
            # Search by a part of the name.
            GinIndex(fields=["grams"], name="member_name_grams"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.member_id)


class AttributeDefinition(models.Model):
    """A fact of its own that the brand keeps about members; values lie in `Member.attributes`.

    A code is never used for another type: values are stored by it. A retired definition stays,
    so that its values keep their meaning. `choices` is a list of `{"code", "label"}`.
    """

    class Type(models.TextChoices):
        TEXT = AttributeType.TEXT.value, _("Text")
        NUMBER = AttributeType.NUMBER.value, _("Number")
        DATE = AttributeType.DATE.value, _("Date")
        BOOLEAN = AttributeType.BOOLEAN.value, _("Yes or no")
        CHOICE = AttributeType.CHOICE.value, _("Choice")

    class Portal(models.TextChoices):
        HIDDEN = "hidden", _("Staff only")
        SHOWN = "shown", _("The member sees it")
        EDITED = "edited", _("The member may change it")

    code = models.CharField(
        max_length=40,
        unique=True,
        help_text=_("Small letters, digits and _; files and systems use it; fixed for good."),
    )
    type = models.CharField(max_length=8, choices=Type.choices)
    label = models.JSONField()
    choices = models.JSONField(default=list, blank=True)
    is_required = models.BooleanField(
        default=False, help_text=_("Nobody is enrolled without it, and it can not be emptied.")
    )
    portal = models.CharField(
        max_length=6, choices=Portal.choices, default=Portal.HIDDEN, help_text=_("In the portal.")
    )
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            # A code is a key of JSON and a name of a condition's field.
            models.CheckConstraint(
                name="attribute_code_form",
                condition=models.Q(code__regex=r"^[a-z][a-z0-9_]{0,39}$"),
            ),
            # Choices are what a choice chooses from, and nothing else has any.
            models.CheckConstraint(
                name="attribute_choices_fit_type",
                condition=(models.Q(type="choice") & ~models.Q(choices=[]))
                | (~models.Q(type="choice") & models.Q(choices=[])),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    def as_value(self) -> Attribute:
        """Return the definition without its row."""
        return Attribute(
            code=self.code,
            type=AttributeType(self.type),
            label=self.label,
            choices=tuple(Choice(item["code"], item["label"]) for item in self.choices),
            is_required=self.is_required,
            portal=self.portal,
            is_active=self.is_active,
        )

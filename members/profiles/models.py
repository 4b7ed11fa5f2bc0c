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
    it is how purchases find their member. A member who turned out to be the same person as
    another has the status `merged` and leads to that one (`merged_into`, never itself merged).
    """

    class Status(models.TextChoices):
        ACTIVE = "active", _("Active")
        BLOCKED = "blocked", _("Blocked")
        ERASED = "erased", _("Erased")
        MERGED = "merged", _("Merged")

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

    # The survivor stays as long as whoever was merged into it.
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )

    # Set where the member was found by the key of one who was merged into it.
    _named_as: int | None = None

    class Meta:
        constraints = [
            # Who was merged leads to somebody else.
            models.CheckConstraint(
                name="member_merged_into_another",
                condition=(~models.Q(status="merged") | models.Q(merged_into__isnull=False))
                & (models.Q(merged_into__isnull=True) | ~models.Q(merged_into=models.F("id"))),
            ),
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
            # Who was merged into a member: few rows, and no work for all others.
            models.Index(
                fields=["merged_into"],
                name="member_by_survivor",
                condition=models.Q(merged_into__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return str(self.number)

    @property
    def is_active(self) -> bool:
        """Say whether the member may earn, redeem and sign in."""
        return self.status == self.Status.ACTIVE

    @property
    def named_as(self) -> int:
        """The key of the row that the caller named: of a member who was merged into this one."""
        return self._named_as or self.pk

    def stands_for(self, merged: "Member") -> None:
        """Note that this member was found by the key of one who was merged into it."""
        self._named_as = merged.pk


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


class ConsentPurpose(models.Model):
    """Something that a member may agree to, such as news by e-mail.

    What a member agrees to now lies in `MemberPersonal.consents` under `code`; what was agreed
    to when is in `ConsentChange`. A purpose no longer offered stays for its history.
    """

    code = models.CharField(
        max_length=40,
        unique=True,
        help_text=_("Small letters, digits and _; files and systems use it; fixed for good."),
    )
    label = models.JSONField()
    position = models.PositiveSmallIntegerField(default=0)
    is_active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="consent_purpose_code_form",
                condition=models.Q(code__regex=r"^[a-z][a-z0-9_]{0,39}$"),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class ConsentText(models.Model):
    """The words of a purpose in one version: what members read when they agreed. Append-only."""

    purpose = models.ForeignKey(ConsentPurpose, on_delete=models.PROTECT, related_name="texts")
    version = models.PositiveIntegerField()
    text = models.JSONField()
    published_at = models.DateTimeField()
    published_by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            # Versions count from 1; also finds the newest.
            models.UniqueConstraint(name="consent_text_version", fields=["purpose", "version"]),
        ]

    def __str__(self) -> str:
        return f"{self.purpose_id} v{self.version}"


class ConsentChange(models.Model):
    """That a member gave or withdrew a consent: when, to whom, to which words. Append-only.

    Proof that outlives the member's name: holds keys only, so that erasing leaves it.
    """

    class Source(models.TextChoices):
        CONSOLE = "console", _("Console")
        PORTAL = "portal", _("Portal")
        API = "api", _("The brand's system")
        IMPORT = "import", _("Import")
        SYSTEM = "system", _("Automatic")

    member = models.ForeignKey(
        Member, on_delete=models.PROTECT, related_name="consent_changes", db_index=False
    )
    purpose = models.ForeignKey(
        ConsentPurpose, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    is_given = models.BooleanField()
    text_version = models.PositiveIntegerField(null=True, help_text=_("Empty: no words on file."))
    source = models.CharField(max_length=8, choices=Source.choices)
    actor = models.CharField(max_length=60)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            # The history of one member, newest first; serves the foreign key.
            models.Index(fields=["member", "-id"], name="consent_change_by_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.purpose_id} {self.is_given}"


class Erasure(models.Model):
    """That a member asked to be erased, and what became of it.

    `traces` are the values that are still being looked for in what is kept for a while (events,
    stored answers, sessions, mails); the last step of the work empties them. `report` counts
    what was erased where.
    """

    class State(models.TextChoices):
        ASKED = "asked", _("Asked for")
        STARTED = "started", _("Being erased")
        DONE = "done", _("Erased")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    member = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="erasures")
    state = models.CharField(max_length=9, choices=State.choices, default=State.ASKED)
    asked_at = models.DateTimeField()
    asked_by = models.CharField(max_length=60)
    due_on = models.DateField(help_text=_("When the law wants it done."))
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=60, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    traces = models.JSONField(default=list)
    report = models.JSONField(default=dict)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # One request at a time, and no member is erased twice.
            models.UniqueConstraint(
                name="erasure_one_open",
                fields=["member"],
                condition=models.Q(state__in=["asked", "started", "done"]),
            ),
            # What was erased is not kept here.
            models.CheckConstraint(
                name="erasure_traces_only_while_started",
                condition=models.Q(state="started") | models.Q(traces=[]),
            ),
        ]
        indexes = [
            # The console's list of requests, the soonest due first.
            models.Index(
                fields=["due_on"], name="erasure_asked", condition=models.Q(state="asked")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.state}"


class Claim(models.Model):
    """A code sent to the e-mail or phone on file, by which a person claims their membership.

    Only the code's hash is kept. It can be used once, until `expires_at`, and is dead after
    five wrong tries.
    """

    class Channel(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PHONE = "phone", _("Phone")

    # A code has no meaning without its member.
    member = models.ForeignKey(
        Member, on_delete=models.CASCADE, related_name="claims", db_index=False
    )
    key = models.UUIDField(unique=True)
    channel = models.CharField(max_length=5, choices=Channel.choices)
    digest = models.CharField(max_length=64)
    wrong_tries = models.PositiveSmallIntegerField(default=0)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            # How many codes a member was sent in the last hour; serves the foreign key.
            models.Index(fields=["member", "-sent_at"], name="claim_by_member"),
        ]

    def __str__(self) -> str:
        return f"{self.member_id} {self.channel}"

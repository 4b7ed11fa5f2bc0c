"""The points ledger: wallets, accounts, lots, the journal and holds.

An account belongs to an opaque owner (this room knows no members) and carries a stored balance,
changed only together with a journal entry by the SQL functions of this room, under the lock of
the account's row. Each credit is a lot; spending takes lots, earliest expiry first, and the entry
keeps which lots it touched. Double entry is a view: the kind of an entry fixes its contra
account (`queries.double_entry`).

Lots, entries and holds have no foreign key in the database to their account: it would cost a
lookup and a lock on each insert, in the path of each purchase. The functions have just locked
that account's row, and a trigger refuses to remove accounts.
"""

from datetime import date

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.utils.translation import gettext_lazy as _

# The last good day of points that never expire: a date, so that it sorts after all others.
NEVER = date(9999, 12, 31)
# The last good day of lots that are good while their owner is active: then `Account.good_until`
# holds. Sorts after every real day and before `NEVER`.
WHILE_ACTIVE = date(9999, 12, 30)
# Day 0 of the day numbers in `Entry.lots`; no lot expires before it.
FIRST_DAY = date(2000, 1, 1)


class Wallet(models.Model):
    """A unit that members collect, and its rules. `points` (1) and `growth` (2) always exist.

    Changing a rule changes what happens from now on, never lots that exist.
    """

    class ExpiryPolicy(models.TextChoices):
        NONE = "none", _("Never")
        MONTHS = "months", _("Some months after earning")
        END_OF_MONTH = "end_of_month", _("At the end of a month")
        END_OF_QUARTER = "end_of_quarter", _("At the end of a quarter")
        END_OF_YEAR = "end_of_year", _("At the end of a year")
        INACTIVITY = "inactivity", _("After some months without activity")

    class CapPolicy(models.TextChoices):
        CUT = "cut", _("Credit what still fits")
        REFUSE = "refuse", _("Credit nothing unless all of it fits")

    id = models.SmallIntegerField(primary_key=True)
    code = models.SlugField(max_length=20, unique=True)
    name = models.CharField(max_length=60, help_text=_("What members call it."))
    expiry_policy = models.CharField(
        max_length=20,
        choices=ExpiryPolicy.choices,
        default=ExpiryPolicy.NONE,
        help_text=_("When points stop being good, counted from the day they were earned."),
    )
    expiry_months = models.PositiveSmallIntegerField(
        default=0, help_text=_("Months between earning and expiry, before rounding to an end.")
    )
    pending_days = models.PositiveSmallIntegerField(
        default=0, help_text=_("Days until earned points can be spent, such as a return period.")
    )
    restore_grace_days = models.PositiveSmallIntegerField(
        default=30,
        help_text=_("Days that points given back stay good when their own expiry has passed."),
    )
    may_go_negative = models.BooleanField(
        default=False,
        help_text=_("Taking back points that are spent makes a debt, paid by the next earnings."),
    )
    recover_percent = models.PositiveSmallIntegerField(
        default=0,
        db_default=0,
        help_text=_(
            "Without debts: the share of each later credit that pays for points that were spent "
            "before they could be taken back. 0 writes them off."
        ),
    )
    cost_per_point_micro = models.BigIntegerField(
        default=0, help_text=_("Cost of one point in millionths of the currency's minor unit.")
    )
    balance_cap = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Most points that a member may have; empty: no limit.")
    )
    earn_cap_day = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text=_("Most points earned in a day, from all rules; counted from when this is set."),
    )
    earn_cap_month = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text=_("Most points earned in a calendar month; counted from when this is set."),
    )
    cap_policy = models.CharField(
        max_length=8,
        choices=CapPolicy.choices,
        default=CapPolicy.CUT,
        db_default=CapPolicy.CUT,
        help_text=_("What happens to a credit that passes a cap."),
    )
    spend_min = models.PositiveBigIntegerField(
        default=0, db_default=0, help_text=_("Fewest points that members may spend at once.")
    )
    spend_step = models.PositiveBigIntegerField(
        default=1, db_default=1, help_text=_("Members spend multiples of this.")
    )
    expiring_notice_days = models.PositiveSmallIntegerField(
        default=30,
        db_default=30,
        help_text=_("Days ahead that members are told of points about to expire; 0: never."),
    )
    adjust_limit = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        help_text=_(
            "Points that one person may add or take by hand, per member and 24 hours; more needs "
            "the consent of somebody else. Empty: no limit."
        ),
    )
    transfers_on = models.BooleanField(
        default=False, db_default=False, help_text=_("Members may pass points on to each other.")
    )
    transfer_min = models.PositiveBigIntegerField(
        default=1, db_default=1, help_text=_("Fewest points in one transfer.")
    )
    transfer_day_points = models.PositiveBigIntegerField(
        null=True, blank=True, help_text=_("Most points that a member passes on in a day.")
    )
    transfer_day_count = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Most transfers that a member makes in a day.")
    )

    class Meta:
        constraints = [
            # A typo here would let points live for ever, or not at all.
            models.CheckConstraint(
                name="wallet_expiry_policy_known",
                condition=models.Q(
                    expiry_policy__in=[
                        "none",
                        "months",
                        "end_of_month",
                        "end_of_quarter",
                        "end_of_year",
                        "inactivity",
                    ]
                ),
            ),
            # "Zero months after earning" would expire points on the day they are earned.
            models.CheckConstraint(
                name="wallet_months_need_a_number",
                condition=~models.Q(expiry_policy__in=["months", "inactivity"])
                | models.Q(expiry_months__gt=0),
            ),
            # A debt and a shortfall to recover would ask for the same points twice.
            models.CheckConstraint(
                name="wallet_one_clawback_policy",
                condition=models.Q(recover_percent=0)
                | models.Q(recover_percent__lte=100, may_go_negative=False),
            ),
            models.CheckConstraint(
                name="wallet_cap_policy_known",
                condition=models.Q(cap_policy__in=["cut", "refuse"]),
            ),
            # A step of zero would divide by zero in every spending.
            models.CheckConstraint(
                name="wallet_steps_positive",
                condition=models.Q(spend_step__gt=0, transfer_min__gt=0),
            ),
            models.CheckConstraint(
                name="wallet_cost_not_negative",
                condition=models.Q(cost_per_point_micro__gte=0),
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def label(self) -> str:
        """What to call it in the language of the page: the first two are known everywhere."""
        return str({"points": _("Points"), "growth": _("Growth")}.get(self.code, self.name))


class Account(models.Model):
    """One owner's balance in one wallet. Its row lock serialises all postings of the account.

    `balance` is what all lots hold, waiting ones included, minus the debt; it is below zero only
    after taking back spent points in a wallet that allows it, and then no lot is open (a trigger
    refuses a falling balance below zero in any other wallet). `pending` is the part in lots that
    wait for their day. `held` has left the balance for open holds. `seq` is the number of the
    last entry: entries of an account are numbered without gaps.

    `owed` is what clawbacks could not take and later credits pay, in a wallet with
    `recover_percent`. `good_until` is the last good day of lots that are good while the owner is
    active (null: there are none): each activity moves it to `idle_months` later, as promised when
    they were credited.

    No lot before (`first_open_on`, `first_open_seq`) is open: spending starts looking there, so that
    it costs the same after ten years of spent lots. It may lag behind.

    While `merged_into` is set, the owner is one with that account's owner (merge `merge_id`):
    whatever comes to lie here is handed over at once, and only open holds stay. `owed_moved` is
    what merges have added to `owed` (or taken), `owed_gone` what went over and would come back.
    That it is merged by a merge, and never into itself, is held by a trigger on these two columns
    (`account_merged_by_a_merge`): as a constraint it would be read anew in every posting.
    """

    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="accounts", db_index=False
    )
    owner_id = models.BigIntegerField()
    balance = models.BigIntegerField(default=0)
    pending = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    seq = models.BigIntegerField(default=0)
    opened_at = models.DateTimeField()
    first_open_on = models.DateField(db_default=FIRST_DAY)
    first_open_seq = models.BigIntegerField(db_default=0)
    owed = models.BigIntegerField(db_default=0)
    good_until = models.DateField(null=True)
    idle_months = models.SmallIntegerField(null=True)
    merged_into = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, related_name="merged", db_index=False
    )
    merge_id = models.BigIntegerField(null=True)
    owed_moved = models.BigIntegerField(db_default=0)
    owed_gone = models.BigIntegerField(db_default=0)

    class Meta:
        constraints = [
            # One account per owner and wallet; the index finds it in every posting.
            models.UniqueConstraint(
                name="account_once_per_owner_and_wallet", fields=["owner_id", "wallet"]
            ),
            # A hold that ended twice would show here first. That `pending` fits the balance is
            # left to `invariants.check_balances`: each condition makes every posting dearer.
            models.CheckConstraint(
                name="account_held_not_negative", condition=models.Q(held__gte=0)
            ),
        ]
        indexes = [
            # The nightly expiry by inactivity.
            models.Index(
                fields=["good_until"],
                name="account_idle",
                condition=models.Q(good_until__isnull=False),
            ),
            # What is still held in accounts that were merged into one.
            models.Index(
                fields=["merged_into"],
                name="account_merged",
                condition=models.Q(merged_into__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id}:{self.owner_id}"


class Lot(models.Model):
    """Points credited together: what is left of them, when they become and cease to be good.

    `seq` is the number of the entry that made the lot. `expires_on` is the last good day in the
    brand's time zone. A lot with `is_pending` waits for `available_at`; the flag is cleared by
    the first posting that needs the lot after that instant, or by the nightly job.

    `remaining` is in no index and in no index's condition: each spending would then have to write
    new index entries. `is_open` changes only once in the life of most lots.
    """

    pk = models.CompositePrimaryKey("account", "expires_on", "seq")
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="lots",
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField()
    earned = models.BigIntegerField()
    remaining = models.BigIntegerField()
    available_at = models.DateTimeField(null=True)
    expires_on = models.DateField()
    is_pending = models.BooleanField(default=False)
    is_open = models.GeneratedField(
        expression=models.Q(remaining__gt=0),  # type: ignore[arg-type]  # the stubs know no Q
        output_field=models.BooleanField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            # The last line of defence against spending a point twice.
            models.CheckConstraint(
                name="lot_remaining_within_earned",
                condition=models.Q(remaining__gte=0, remaining__lte=models.F("earned")),
            ),
        ]
        indexes = [
            # The nightly expiry, and what expires within 30 days.
            models.Index(fields=["expires_on"], name="lot_due", condition=models.Q(is_open=True)),
            # The nightly activation.
            models.Index(
                fields=["available_at"], name="lot_waiting", condition=models.Q(is_pending=True)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}/{self.expires_on}/{self.seq}"


class Entry(models.Model):
    """One posting of the journal. Append-only: a trigger refuses update, delete and truncate.

    `lots` is a flat array of triples (last good day as days since 2000-01-01, number of the lot,
    change): the changes sum to what the entry did to the lots. A capture changes no lot; its
    triples say from which lots the held points were taken for good. `ref_seq` names the entry of
    the same account that this one reverses, captures or releases. `shortfall` is what a clawback
    was asked to take and could not, because the points had expired, were spent in a wallet
    without debts, or had never been credited; for a credit, what a cap of the wallet cut off.

    That signs and references fit the kind is not a constraint: PostgreSQL parses each condition
    anew for every insert, which made a posting a fifth dearer. Only this room's functions insert
    here, and `invariants.check_entries` looks.
    """

    class Kind(models.IntegerChoices):
        EARN = 1, _("Earned")
        REDEEM = 2, _("Spent")
        EXPIRE = 3, _("Expired")
        REVERSE = 4, _("Given back")
        ADJUST = 5, _("Adjusted")
        HOLD = 6, _("Held")
        CAPTURE = 7, _("Captured")
        RELEASE = 8, _("Released")
        TRANSFER = 9, _("Transferred")
        CLAWBACK = 10, _("Taken back")
        RECOVER = 11, _("Paid what was owed")

    pk = models.CompositePrimaryKey("account", "seq")
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="entries",
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField()
    delta = models.BigIntegerField()
    balance_after = models.BigIntegerField()
    at = models.DateTimeField()
    key = models.UUIDField()
    source_id = models.BigIntegerField(null=True)
    ref_seq = models.BigIntegerField(null=True)
    shortfall = models.BigIntegerField(null=True)
    kind = models.SmallIntegerField(choices=Kind.choices)
    source_type = models.CharField(max_length=30, blank=True)
    lots = ArrayField(models.BigIntegerField(), default=list)
    cause = models.JSONField(null=True)

    class Meta:
        constraints = [
            # One posting per key for ever: sending a request again finds its first answer.
            models.UniqueConstraint(name="entry_key_unique", fields=["key"]),
        ]
        indexes = [
            # What has been given or taken back of an entry already; how a hold ended.
            models.Index(
                fields=["account", "ref_seq"],
                name="entry_by_ref",
                condition=models.Q(ref_seq__isnull=False),
            ),
            # Sums over a period, such as points issued this month: entries are appended in time.
            BrinIndex(fields=["at"], name="entry_at", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}#{self.seq}"


class Hold(models.Model):
    """Points set aside by the entry of the same number, until captured or released.

    Forward only: `open` → `captured` or `released`, decided under the lock of the account. After
    `until` a hold can no longer be captured; a job releases it.
    """

    class State(models.IntegerChoices):
        OPEN = 1, _("Open")
        CAPTURED = 2, _("Captured")
        RELEASED = 3, _("Released")

    pk = models.CompositePrimaryKey("account", "seq")
    account = models.ForeignKey(
        Account,
        on_delete=models.PROTECT,
        related_name="holds",
        db_index=False,
        db_constraint=False,
    )
    seq = models.BigIntegerField()
    amount = models.BigIntegerField()
    until = models.DateTimeField(null=True)
    state = models.SmallIntegerField(choices=State.choices, default=State.OPEN)

    class Meta:
        constraints = [
            models.CheckConstraint(name="hold_amount_positive", condition=models.Q(amount__gt=0)),
            models.CheckConstraint(
                name="hold_state_known", condition=models.Q(state__in=[1, 2, 3])
            ),
        ]
        indexes = [
            # The job that releases holds past their time.
            models.Index(fields=["until"], name="hold_due", condition=models.Q(state=1)),
        ]

    def __str__(self) -> str:
        return f"{self.account_id}#{self.seq}"


class EarnedDay(models.Model):
    """What an account earned on one of the brand's days, in wallets with a cap on earning.

    Written with the credit, under the lock of its account, so that caps are exact.
    """

    pk = models.CompositePrimaryKey("account", "on_date")
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    on_date = models.DateField()
    points = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.account_id}/{self.on_date}"


class Transfer(models.Model):
    """Points that one owner passed on to another: the two entries that belong together.

    Append-only. The receiver's lots keep the last good days of the sender's.
    """

    key = models.UUIDField(unique=True)
    from_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    from_seq = models.BigIntegerField()
    to_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    to_seq = models.BigIntegerField()
    points = models.BigIntegerField()
    at = models.DateTimeField()
    on_date = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="transfer_between_two",
                condition=~models.Q(from_account=models.F("to_account")) & models.Q(points__gt=0),
            ),
        ]
        indexes = [
            # What a member has passed on today.
            models.Index(fields=["from_account", "on_date"], name="transfer_of_day"),
        ]

    def __str__(self) -> str:
        return f"{self.from_account_id} → {self.to_account_id}: {self.points}"


class AdjustmentRequest(models.Model):
    """A correction by hand that passes its asker's limit and waits for somebody else's consent.

    Forward only: `pending` → `approved`, `refused` or `withdrawn`. The SQL functions post an
    adjustment above the limit only under the key of an approved request of the same number.
    `asked_person` and `decided_person` name the people behind: for an API key, who made it. The
    database itself refuses the same person twice.
    """

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting for consent")
        APPROVED = "approved", _("Approved")
        REFUSED = "refused", _("Refused")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    key = models.UUIDField(unique=True)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+")
    owner_id = models.BigIntegerField()
    amount = models.BigIntegerField()
    reason = models.CharField(max_length=300)
    expires_on = models.DateField(null=True)
    limit = models.BigIntegerField()
    state = models.CharField(max_length=9, choices=State.choices, default=State.PENDING)
    asked_by = models.CharField(max_length=40)
    asked_person = models.CharField(max_length=40)
    asked_name = models.CharField(max_length=120, blank=True)
    asked_at = models.DateTimeField()
    decided_by = models.CharField(max_length=40, blank=True)
    decided_person = models.CharField(max_length=40, blank=True)
    decided_name = models.CharField(max_length=120, blank=True)
    decided_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="adjustment_request_state_known",
                condition=models.Q(state__in=["pending", "approved", "refused", "withdrawn"]),
            ),
            models.CheckConstraint(
                name="adjustment_request_not_zero", condition=~models.Q(amount=0)
            ),
            # Four eyes: who decides is not who asked.
            models.CheckConstraint(
                name="adjustment_request_four_eyes",
                condition=~models.Q(state__in=["approved", "refused"])
                | ~models.Q(decided_person="") & ~models.Q(decided_person=models.F("asked_person")),
            ),
        ]
        indexes = [
            # What waits for consent.
            models.Index(
                fields=["asked_at"],
                name="adjustment_waiting",
                condition=models.Q(state="pending"),
            ),
            # What was asked for one member.
            models.Index(fields=["owner_id"], name="adjustment_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.owner_id}: {self.amount} ({self.state})"


class ExpiryNotice(models.Model):
    """A member was told that points stop being good after a day: once per account and day."""

    pk = models.CompositePrimaryKey("account", "expires_on")
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    expires_on = models.DateField()
    points = models.BigIntegerField()
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.account_id}/{self.expires_on}"


class LiabilityDay(models.Model):
    """What a wallet's points were worth at the end of one of the brand's days.

    Recomputable at any time from balances, lots and journal (`operations.snapshot_liability`). `outstanding`
    is balances less debts, and holds; `held` is a part of it. `issued` (less what was taken back),
    `spent`, `expired` and `corrected` are what the day moved. `matured` points' lots ended in the 365 days
    before, `lapsed` of them unused: the share that `breakage` expects of what is outstanding.
    """

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", db_index=False)
    on_date = models.DateField()
    outstanding = models.BigIntegerField()
    held = models.BigIntegerField()
    issued = models.BigIntegerField()
    spent = models.BigIntegerField()
    expired = models.BigIntegerField()
    corrected = models.BigIntegerField()
    cost_per_point_micro = models.BigIntegerField()
    cost_minor = models.BigIntegerField()
    matured = models.BigIntegerField()
    lapsed = models.BigIntegerField()
    breakage = models.BigIntegerField()
    breakage_minor = models.BigIntegerField()
    computed_at = models.DateTimeField()

    class Meta:
        constraints = [
            # One per wallet and day; the index reads the chart.
            models.UniqueConstraint(name="liability_once_a_day", fields=["wallet", "on_date"]),
        ]

    def __str__(self) -> str:
        return f"{self.wallet_id}/{self.on_date}: {self.outstanding}"

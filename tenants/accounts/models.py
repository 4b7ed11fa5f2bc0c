"""People who sign in, and the keys of machines. Exists in `public` (operators) and in each brand."""

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=email.strip().lower(), **fields)
        if password:
            user.set_password(password)
        else:
            user.set_unusable_password()
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who can sign in with one brand (or, in `public`, an operator of the platform).

    The same address with another brand is another user. Members get a user when they first
    sign in; staff when they are invited.
    """

    email = models.EmailField(max_length=254)
    name = models.CharField(max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    locale = models.CharField(max_length=10, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            # One account per address, whatever its capitals.
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
        ]

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.name or self.email.split("@")[0]


class StaffMember(models.Model):
    """A user who works in the brand's console, with one role (see `permissions.ROLES`)."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        MANAGER = "manager", _("Programme manager")
        ANALYST = "analyst", _("Analyst")
        FINANCE = "finance", _("Finance")
        SUPPORT = "support", _("Support")
        ACCOUNT_MANAGER = "account_manager", _("Account manager")

    # Staff rows go with their user; what they did stays in the audit.
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="staff")
    role = models.CharField(max_length=16, choices=Role.choices)
    is_active = models.BooleanField(default=True)
    invited_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user} ({self.role})"


class ApiKey(models.Model):
    """A machine's key to one of the two APIs; only its hash is stored.

    `owner_id` is the partner's key for `partner` keys and empty for the brand's own systems.
    The text is `<prefix>_<identifier>_<secret>`; `identifier` finds the row, the SHA-256 of the
    whole text proves it.
    """

    class Kind(models.TextChoices):
        BRAND = "brand", _("Brand system")
        PARTNER = "partner", _("Partner")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    is_live = models.BooleanField(default=True)
    owner_id = models.BigIntegerField(null=True, blank=True)
    name = models.CharField(max_length=80)
    identifier = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="api_key_partner_has_owner",
                condition=models.Q(kind="brand", owner_id__isnull=True)
                | models.Q(kind="partner", owner_id__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.identifier})"

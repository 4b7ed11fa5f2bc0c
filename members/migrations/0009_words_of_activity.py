"""What a member said in an event can be erased; that the event happened can not."""

from django.db import migrations

from tenants.brands.append_only import append_only_but_for_words


class Migration(migrations.Migration):
    dependencies = [("members", "0008_consent_defaults")]

    operations = [
        append_only_but_for_words(
            "members_activityevent",
            facts=["id", "member_id", "name", "at", "external_id", "digest"],
            words={"properties": "'{}'::jsonb"},
        )
    ]

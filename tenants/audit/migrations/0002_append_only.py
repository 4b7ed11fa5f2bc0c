"""The audit and its seals refuse update, delete and truncate."""

from django.db import migrations

from tenants.brands.append_only import append_only


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial"), ("brands", "0002_refuse_change")]

    operations = [append_only("audit_auditentry"), append_only("audit_auditseal")]

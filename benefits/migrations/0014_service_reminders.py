"""Which day a periodic service falls due on its member was last reminded of."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("benefits", "0013_answers_of_others")]

    operations = [
        migrations.AddField(
            model_name="grant", name="reminded_for", field=models.DateField(null=True)
        ),
    ]

"""An index of what was approved for whom, by which an amount beyond that is found."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("approvals", "0015_waiting_lists"), ("tools", "0019_confirmation")]

    operations = [
        migrations.AddIndex(
            model_name="approvalrequest",
            index=models.Index(
                condition=models.Q(("amount__isnull", False), ("state", "approved")),
                fields=["tool", "principal", "-decided_at"],
                name="approval_amounts",
            ),
        ),
    ]

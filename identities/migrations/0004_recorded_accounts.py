"""Say that accounts are made by a manager of our own; no table changes."""

from __future__ import annotations

from typing import ClassVar

from django.db import migrations


class Migration(migrations.Migration):
    dependencies: ClassVar = [("identities", "0003_refused_sign_ins")]
    operations: ClassVar = [migrations.AlterModelManagers(name="user", managers=[])]

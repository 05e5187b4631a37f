"""The ASGI application that uvicorn serves."""

from __future__ import annotations

import os
from typing import cast

from asgiref.typing import ASGI3Application
from django.core.asgi import get_asgi_application

from agentops.api.bodies import bound_bodies

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django = cast(ASGI3Application, get_asgi_application())

from runs.a2a.application import mount_a2a  # noqa: E402  needs the apps that were just loaded
from runs.gateway.application import mount_gateway  # noqa: E402  needs the apps that were just loaded
from runs.preflight import refuse_unsafe_start  # noqa: E402  needs the apps that were just loaded

application = bound_bodies(mount_a2a(mount_gateway(django)))

refuse_unsafe_start()

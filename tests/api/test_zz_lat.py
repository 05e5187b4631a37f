import time, httpx2
from tests.api.live import serve_api
from tests.api.conftest import *
from tests.cast import cast
import pytest, logging
@pytest.mark.django_db(transaction=True)
def test_lat(cast, callers, caplog):
    caplog.set_level(logging.ERROR, "django.request")
    with serve_api() as a:
        h={"Authorization": f"Bearer {callers.bob.bearer}"}
        with httpx2.Client(headers=h) as c:
            for name, f in {"runs": lambda: c.get(a+"/api/v1/runs"), "404": lambda: c.get(a+"/api/v1/x"), "health": lambda: c.get(a+"/healthz"), "post": lambda: c.post(a+"/api/v1/runs", json={})}.items():
                f(); ts=[]
                for _ in range(30):
                    t=time.perf_counter(); f(); ts.append((time.perf_counter()-t)*1000)
                ts.sort(); print(name, "p50 %.1f p90 %.1f ms" % (ts[15], ts[27]))
    from django.db import connection; connection.close()
    from agentops import database; database.close_pool()

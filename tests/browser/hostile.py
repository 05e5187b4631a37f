"""Markup in every string that a user, a model, a tool or a server of tools controls: who writes it, and where it goes.

Each string begins with the name of whoever wrote it, so that a page shows which of them it holds.
"""

from __future__ import annotations

from typing import Any

from agentops.errors import Permanent
from tools.calls import CallContext

# Out of text, attributes, elements and our own templates; scripts, handlers, addresses, htmx; escaped once already.
MARKUP = (
    "\"'><xss-mark></textarea></title></script><script>xss=1</script><img src=x onerror=xss=1><svg onload=xss=1>"
    '<a href="javascript:xss=1" autofocus onfocus=xss=1>go</a><b hx-get=/admin/logout/ hx-trigger=load>'
    "<style>*{display:none}</style><iframe srcdoc='<script>xss=1</script>'></iframe><!--"
    "{{ 7|add:7 }}{% now 'Y' %}${7*7}&lt;xss-mark&gt;&#60;xss-mark&#62; javascript:xss=1"
)


WRITTEN: set[str] = set()


def hostile(who: str) -> str:
    """Return what somebody writes."""
    WRITTEN.add(who)
    return f"by-{who} {MARKUP}"


def brief(who: str) -> str:
    """Return what somebody writes where little is taken."""
    WRITTEN.add(who)
    return f"by-{who} \"'><xss-mark><img src=x onerror=xss=1>"


# --- tools that answer like that -----------------------------------------------------------------------------

Result = dict[str, Any]  # Any: JSON


def tell(order_id: str, call: CallContext) -> Result:
    """Answer in every shape that a page has a form for."""
    rows = [{"name": hostile("row"), hostile("column"): n} for n in range(2)]
    deep = {"a": {"b": {"c": {"d": {"e": hostile("depth")}}}}}
    return {
        "note": hostile("result"),
        hostile("key"): 1,
        "rows": rows,
        "items": [hostile("item")],
        "deep": deep,
    }


def refuse(order_id: str, call: CallContext) -> Result:
    """Fail for good, and say why."""
    raise Permanent("not_refundable", hostile("error"))


def read_account(order_id: str, call: CallContext) -> Result:
    """Say how things stand, to be shown before a call."""
    return {"status": brief("preview"), "refunded": "0.00", "version": 1}


def find_orders(call: CallContext, text: str = "") -> Result:
    """List what might be meant."""
    return {"orders": [{"id": "A-1", "summary": hostile("candidate"), "at": "2026-01-05"}]}


def change(order_id: str, call: CallContext) -> Result:
    """Do what was asked."""
    return {"changed": hostile("outcome")}

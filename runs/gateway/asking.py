"""What is asked of a client's user in the middle of a call, and what a client says when it comes back.

Where people decide is an address, and that it was seen decides nothing. What a tool asks is a form of ours, which was
declared when the tool was taken over. Its answers are arguments of another call, which is checked as every call is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import mcp_types as types
import orjson
from django.core import signing
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError

from agentops.errors import PolicyDenied
from identities.oauth.bearers import Delegate
from runs.gateway.answers import Answer
from runs.gateway.receiving import Foreign, find_received, receive_call
from runs.models import ReceivedCall
from tools.adapters.mcp.forms import ANSWERS
from tools.calls import ToolSpec

Context = ServerRequestContext[Any, Any]  # Any: nothing lives as long as the server; the transport's request
Json = dict[str, Any]  # Any: JSON

STATE_AGE_S = 86_400
_SALT = "agentops.gateway"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which call a client comes back about, sealed while it is away. ``answers`` are those that the call has brought.

    ``is_form``: it comes back with answers, not to wait for people.
    """

    run_id: str
    number: int
    answers: Json
    is_form: bool


def lead(
    context: Context, received: ReceivedCall, foreign: Foreign, answer: Answer
) -> types.InputRequiredResult | None:
    """Ask the client to lead its user to where they or others decide, as far as it can; None where it cannot."""
    if answer.approval and may_be_sent(context):
        return send_to(received, foreign, answer)
    if answer.code == "confirmation_required" and may_be_asked(context):
        return point_out(received, foreign)
    return None


def point_out(received: ReceivedCall, foreign: Foreign) -> types.InputRequiredResult:
    """Ask the client to tell its user that they confirm elsewhere: what they press here confirms nothing."""
    words = f"{foreign.tool}: confirm this in the application that you use, and then go on here."
    nothing: Json = {"type": "object", "properties": {}}
    shown = types.ElicitRequestFormParams(message=words, requested_schema=nothing)
    asked: types.InputRequests = {"confirmation": types.ElicitRequest(params=shown)}
    return types.InputRequiredResult(
        input_requests=asked, request_state=_seal(received, foreign, is_form=False)
    )


def send_to(received: ReceivedCall, foreign: Foreign, answer: Answer) -> types.InputRequiredResult:
    """Ask the client to show where people decide. That its user has seen it says nothing about what they decide."""
    words = f"{answer.detail}\n\n{answer.shown.words}" if answer.shown else answer.detail
    shown = types.ElicitRequestURLParams(message=words, url=answer.url, elicitation_id=str(answer.approval))
    asked: types.InputRequests = {"approval": types.ElicitRequest(params=shown)}
    sealed = _seal(received, foreign, is_form=False)
    return types.InputRequiredResult(input_requests=asked, request_state=sealed)


def may_be_sent(context: Context) -> bool:
    """Return whether the client can show its user an address."""
    capabilities = context.session.client_capabilities
    return bool(capabilities and capabilities.elicitation and capabilities.elicitation.url)


def may_be_asked(context: Context) -> bool:
    """Return whether the client can show its user a form; to name no way of asking means forms."""
    capabilities = context.session.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def find_open(answer: Answer, spec: ToolSpec | None) -> Mapping[str, Json]:
    """Return the forms that a tool wants to be filled in before it does anything, by their names."""
    if answer.code != "input_required" or spec is None or not isinstance(answer.value, dict):
        return {}
    asks = spec.config.get("asks", {})
    return {name: asks[name] for name in answer.value.get(ANSWERS, ()) if name in asks}


def put_forms(
    received: ReceivedCall, foreign: Foreign, forms: Mapping[str, Json]
) -> types.InputRequiredResult:
    """Ask the client to have its user fill in these forms, in the words of whoever declared them."""
    asked: types.InputRequests = {name: _write(form) for name, form in forms.items()}
    return types.InputRequiredResult(
        input_requests=asked, request_state=_seal(received, foreign, is_form=True)
    )


def _write(form: Json) -> types.ElicitRequest:
    fields = {name: value for name, value in form.items() if name != "description"}
    params = types.ElicitRequestFormParams(message=form["description"], requested_schema=fields)
    return types.ElicitRequest(params=params)


def read_state(text: str | None) -> Asked | None:
    """Return what a sealed state says, None without one; raises MCPError for one that is not ours, or too old."""
    if text is None:
        return None
    try:
        return Asked(*signing.loads(text, salt=_SALT, max_age=STATE_AGE_S))
    except (signing.BadSignature, ValueError, TypeError):
        raise MCPError(
            types.INVALID_PARAMS, "bad_request_state: this state is not ours, or too old"
        ) from None


def read_responses(spec: ToolSpec | None, responses: types.InputResponses | None) -> Json:
    """Return what was filled into a tool's forms; what is no answer to any of them is left out.

    Raises PolicyDenied `declined` where the user would not say.
    """
    asks = spec.config.get("asks", {}) if spec is not None else {}
    given = {name: each for name, each in (responses or {}).items() if name in asks}
    told = {name: each for name, each in given.items() if isinstance(each, types.ElicitResult)}
    if any(each.action != "accept" for each in told.values()):
        raise PolicyDenied("declined", "the user did not say what the tool asks; nothing was done")
    return {name: each.content or {} for name, each in told.items()}


def take_call(
    caller: Delegate, foreign: Foreign, asked: Asked | None, answers: Json
) -> tuple[ReceivedCall, Foreign, bool]:
    """Return the call that a request makes or comes back about, as it is made now, and whether it is new.

    Raises as ``receive_call`` and ``find_received`` do.
    """
    if asked is None:
        made = _with_answers(foreign, answers)
        received, is_new = receive_call(caller=caller, foreign=made)
        return received, made, is_new
    before = _with_answers(foreign, asked.answers)
    received = find_received(caller=caller, foreign=before, run_id=asked.run_id, number=asked.number)
    if not asked.is_form:
        return received, before, False
    # The key names the call that was asked about; what follows it has one of its own, the same each time.
    made = _with_answers(before, answers)
    if foreign.key:
        made = replace(made, key=f"{foreign.key} after {asked.number}")
    received, is_new = receive_call(caller=caller, foreign=made)
    return received, made, is_new


def write_arguments(arguments: Mapping[str, Any] | None) -> str:  # Any: JSON
    """Return arguments as the text by which the same call is known again."""
    return orjson.dumps(arguments or {}, option=orjson.OPT_SORT_KEYS).decode()


def _with_answers(foreign: Foreign, answers: Json) -> Foreign:
    if not answers:
        return foreign
    given: Json = orjson.loads(foreign.arguments)
    return replace(
        foreign, arguments=write_arguments({**given, ANSWERS: {**_answers_of(foreign), **answers}})
    )


def _answers_of(foreign: Foreign) -> Json:
    found = orjson.loads(foreign.arguments).get(ANSWERS)
    return found if isinstance(found, dict) else {}


def _seal(received: ReceivedCall, foreign: Foreign, *, is_form: bool) -> str:
    kept = [str(received.run_id), received.number, _answers_of(foreign), is_form]
    return signing.dumps(kept, salt=_SALT, compress=True)

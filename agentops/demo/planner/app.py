"""The planner over HTTP: the part of the OpenAI API that an agent needs, and scripts put at run time."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentops.demo.planner.completion import EMPTY, build_completion
from agentops.demo.planner.conversation import InvalidRequest, JsonObject, is_error, read_conversation
from agentops.demo.planner.embeddings import build_embedding, read_embedding
from agentops.demo.planner.faults import FaultCounter, error_response, pause, play_fault
from agentops.demo.planner.script import Fault, Script, ScriptError, Turn, parse_script
from agentops.demo.planner.template import TemplateError
from agentops.demo.toolserver import EXCEPTION_HANDLERS, Problem, read_body

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from agentops.demo.planner.conversation import Conversation

# A long conversation of a demo stays far below; a runaway one is told so.
MAX_REQUEST_BYTES = 8 * 1024 * 1024
DEFAULT_MODEL = "scripted"
UNKNOWN = Turn(content="I am sorry, I do not know how to help with this request.")
FINISHED = Turn(content="There is nothing left for me to do here.")


class Planner:
    """The scripts, the faults played so far, and the latest requests."""

    def __init__(self, scripts: dict[str, Script]) -> None:
        self.scripts = dict(scripts)
        self.faults = FaultCounter()
        # For tests: who was asked what, under which trace. Nothing is decided from it.
        self.requests: deque[JsonObject] = deque(maxlen=10_000)

    def find_script(self, conversation: Conversation) -> Script | None:
        """Return the first script, by name, that matches."""
        text = conversation.first_user_text
        return next(
            (
                self.scripts[name]
                for name in sorted(self.scripts)
                if self.scripts[name].matches(conversation.model, text)
            ),
            None,
        )

    def models(self) -> list[str]:
        """Return the model names that scripts ask for, and the one that fits every other script."""
        return sorted({DEFAULT_MODEL, *(script.model for script in self.scripts.values() if script.model)})


def choose_turn(script: Script | None, conversation: Conversation) -> Turn:
    """Return the turn that this conversation has come to."""
    if script is None:
        return UNKNOWN
    if conversation.position >= len(script.turns):
        return FINISHED
    return next(
        turn for turn in script.turns[conversation.position] if holds(turn, conversation.last_results)
    )


def holds(turn: Turn, last_results: list[str]) -> bool:
    """Say whether the turn's conditions are met by the answers to the last turn's calls."""
    if turn.last_tool_error not in (None, any(is_error(each) for each in last_results)):
        return False
    wanted = turn.last_tool_contains
    return wanted is None or any(wanted in each for each in last_results)


def due_fault(planner: Planner, turn: Turn, conversation: Conversation, request: Request) -> Fault | None:
    """Return the turn's fault if it is to be played now.

    Counted per conversation; the trace id keeps apart two runs that say the same.
    """
    if turn.fault is None:
        return None
    trace_id = request.headers.get("traceparent", "")[3:35]
    return turn.fault if planner.faults.is_due(turn.fault, conversation.digest + trace_id) else None


async def answer_chat(planner: Planner, request: Request) -> Response:
    """Answer POST /v1/chat/completions."""
    raw = await read_body(request, MAX_REQUEST_BYTES)
    try:
        conversation = read_conversation(json.loads(raw))
    except InvalidRequest as error:
        return error_response(400, str(error), param=error.param)
    except (ValueError, RecursionError):
        return error_response(400, "the body is not JSON", code="invalid_json")
    script = planner.find_script(conversation)
    turn = choose_turn(script, conversation)
    fault = due_fault(planner, turn, conversation, request)
    planner.requests.append(describe(script, conversation, fault, request))
    if turn.delay_s:
        await pause(request, turn.delay_s)
    if fault is not None and fault.kind != "empty":
        return await play_fault(fault, request)
    captured = script.capture(conversation.first_user_text) if script else {}
    played = turn if fault is None else EMPTY
    try:
        return JSONResponse(build_completion(played, conversation, len(raw), captured))
    except TemplateError as error:
        return error_response(400, f"script {script.name if script else ''}: {error}", code="script_error")


def describe(
    script: Script | None, conversation: Conversation, fault: Fault | None, request: Request
) -> JsonObject:
    """Return the record of a request."""
    return {
        "script": script.name if script else None,
        "turn": conversation.position,
        "fault": fault.kind if fault else None,
        "model": conversation.model,
        "limit": conversation.limit,
        "conversation": conversation.digest,
        "traceparent": request.headers.get("traceparent"),
    }


async def answer_embedding(planner: Planner, request: Request) -> Response:
    """Answer POST /v1/embeddings. A script that is for this model plays the fault and the delay of its first turn."""
    try:
        asked = read_embedding(json.loads(await read_body(request, MAX_REQUEST_BYTES)))
    except InvalidRequest as error:
        return error_response(400, str(error), param=error.param)
    except (ValueError, RecursionError):
        return error_response(400, "the body is not JSON", code="invalid_json")
    script = next((each for each in planner.scripts.values() if each.model == asked.model), None)
    turn = script.turns[0][-1] if script else FINISHED
    if turn.delay_s:
        await pause(request, turn.delay_s)
    if turn.fault is None or not planner.faults.is_due(turn.fault, asked.digest):
        return JSONResponse(build_embedding(asked))
    if turn.fault.kind == "empty":
        return JSONResponse({**build_embedding(asked), "data": []})
    return await play_fault(turn.fault, request)


def build_app(scripts: dict[str, Script]) -> Starlette:
    """Return the planner as an ASGI application that starts with these scripts."""
    planner = Planner(scripts)

    async def chat(request: Request) -> Response:
        return await answer_chat(planner, request)

    async def embeddings(request: Request) -> Response:
        return await answer_embedding(planner, request)

    async def list_models(request: Request) -> Response:
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "scripts"} for name in planner.models()
        ]
        return JSONResponse({"object": "list", "data": models})

    async def put_script(request: Request) -> Response:
        name = request.path_params["name"]
        try:
            script = parse_script(name, json.loads(await read_body(request, MAX_REQUEST_BYTES)))
        except ScriptError as error:
            raise Problem(422, "invalid_script", str(error)) from error
        except (ValueError, RecursionError) as error:
            raise Problem(400, "invalid_json", "the body is not JSON") from error
        planner.scripts[name] = script
        return JSONResponse({"name": name, "turns": len(script.turns)})

    async def list_requests(request: Request) -> Response:
        return JSONResponse({"requests": list(planner.requests)})

    async def report_health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    routes = [
        Route("/v1/chat/completions", chat, methods=["POST"]),
        Route("/v1/embeddings", embeddings, methods=["POST"]),
        Route("/v1/models", list_models),
        Route("/scripts/{name}", put_script, methods=["PUT"]),
        Route("/requests", list_requests),
        Route("/healthz", report_health),
    ]
    return Starlette(routes=routes, exception_handlers=EXCEPTION_HANDLERS)

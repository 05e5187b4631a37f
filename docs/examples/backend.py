"""A product's backend: it hands customers' requests to an agent, and has them confirm what the agent asks them.

Run it with ``uvicorn backend:app``; AGENTOPS_URL, AGENTOPS_KEY and AGENTOPS_WEBHOOK_SECRET say where the platform is.
Replace `customer_of` by your own sign-in: who the customer is, is your word, and the platform takes it for proof.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from standardwebhooks import Webhook, WebhookVerificationError

from agentops.client import ApiError, AsyncClient

ISSUER = "https://shop.example"


@asynccontextmanager
async def open_client(app: FastAPI) -> AsyncIterator[None]:
    """Open one client for the whole process: it keeps its connections."""
    async with AsyncClient(os.environ["AGENTOPS_URL"], os.environ["AGENTOPS_KEY"]) as client:
        app.state.agentops, app.state.ended = client, []
        yield


app = FastAPI(lifespan=open_client)


def client_of(request: Request) -> AsyncClient:
    client: AsyncClient = request.app.state.agentops
    return client


def customer_of(x_customer: Annotated[str, Header()]) -> str:
    return x_customer


Client = Annotated[AsyncClient, Depends(client_of)]
Customer = Annotated[str, Depends(customer_of)]


class Wish(BaseModel):
    """What a customer wants; `number` is yours: sent twice, it starts one run."""

    number: str
    text: str


@app.post("/wishes", status_code=202)
async def take_wish(wish: Wish, client: Client, customer: Customer) -> dict[str, str]:
    """Start a run on the customer's behalf."""
    run = await client.start_run(
        agent="support-desk",
        message=wish.text,
        principal={"issuer": ISSUER, "subject": customer},
        idempotency_key=f"wish-{wish.number}",
    )
    return {"id": run["id"], "state": run["state"]}


@app.get("/wishes/{run_id}")
async def show_wish(run_id: str, client: Client, customer: Customer) -> dict[str, Any]:
    """Say how it stands: the answer, or what the customer is asked."""
    run = await client.get_run(run_id)
    if run["principal"]["subject"] != customer:
        raise HTTPException(404)
    asked = [action for action in run["required_actions"] if action["type"] in ("input", "confirmation")]
    return {"state": run["state"], "answer": run["answer"], "asked": asked}


@app.post("/platform", status_code=204)
async def be_told(request: Request) -> None:
    """Take a signed webhook: nobody has to ask again and again how a run stands."""
    try:
        event = Webhook(os.environ["AGENTOPS_WEBHOOK_SECRET"]).verify(
            await request.body(), dict(request.headers)
        )
    except WebhookVerificationError:
        raise HTTPException(401) from None
    request.app.state.ended.append(event)


@app.exception_handler(ApiError)
async def refuse(_: Request, error: ApiError) -> JSONResponse:
    """Say no as the platform did."""
    return JSONResponse({"code": error.code, "detail": error.detail}, status_code=error.status)

"""What a receiver of OTLP gets of a run: a tree in the caller's trace, digests and references, and no content."""

from __future__ import annotations

import time

import pytest
from celery import current_app
from pytest_django import Settings

from agentops.tracing import continue_trace
from runs.models import Run, SpanExport
from runs.services import kill_run
from runs.tasks import export_spans
from runs.telemetry import exporting
from tests.otel.receiver import Receiver
from tests.runs.company import ORDER, SUBJECT, Company, proposes, says

pytestmark = pytest.mark.otel

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SECRET = "Zinnober-7714"  # stands in all that people, the model and the tool say


def refund(company: Company, flags: str = "01") -> Run:
    """Drive a run that reads, and says what it read, in the trace of a caller."""
    company.add_reads()
    company.publish()
    company.play(proposes(("look_up", ORDER), text=SECRET), says(f"Done. {SECRET}"))
    trace = continue_trace(f"00-{TRACE}-{SPAN}-{flags}")
    run = company.drive(company.start(f"Help with {SECRET}.", trace=trace))
    assert run.state == "completed"
    return run


def test_a_run_is_a_tree_in_its_callers_trace(company: Company, receiver: Receiver) -> None:
    run = refund(company)
    assert export_spans() == 1
    root = receiver.the("invoke_agent ")
    assert (root.trace_id, root.parent_id) == (TRACE, SPAN)
    children = [span for span in receiver.spans if span is not root]
    assert {(span.name, span.kind) for span in children} == {
        (f"chat {company.model}", "client"),
        ("execute_tool look_up", "internal"),
    }
    assert len(children) == 3
    assert {(span.trace_id, span.parent_id) for span in children} == {(TRACE, root.span_id)}
    assert len({span.span_id for span in receiver.spans}) == 4
    assert all(root.began <= span.began <= span.ended <= root.ended for span in children)
    assert {span.service for span in receiver.spans} == {"agentops"}
    assert {span.attributes["agentops.run.id"] for span in receiver.spans} == {str(run.pk)}


def test_model_and_tool_have_the_spans_that_they_were_sent(company: Company, receiver: Receiver) -> None:
    refund(company)
    export_spans()
    sent = [asked.headers["traceparent"].split("-") for asked in company.provider.received]
    assert [(span.trace_id, span.span_id) for span in receiver.named("chat ")] == [
        (trace, span) for _, trace, span, _ in sent
    ]


def test_attributes_follow_the_conventions(company: Company, receiver: Receiver) -> None:
    run = refund(company)
    export_spans()
    chat = receiver.named("chat ")[0].attributes
    assert chat["gen_ai.operation.name"] == "chat"
    assert chat["gen_ai.provider.name"] == "openai"
    assert chat["gen_ai.request.model"] == company.model
    assert (chat["gen_ai.usage.input_tokens"], chat["gen_ai.usage.output_tokens"]) == (100, 20)
    assert chat["gen_ai.response.finish_reasons"] == ["tool_calls"]
    root = receiver.the("invoke_agent ").attributes
    assert root["gen_ai.operation.name"] == "invoke_agent"
    assert root["gen_ai.agent.name"] == run.identity.name
    assert (root["agentops.run.state"], root["agentops.steps"], root["agentops.tokens"]) == (
        "completed",
        2,
        240,
    )
    spent = sum(span.attributes["agentops.cost.usd"] for span in receiver.named("chat "))
    assert root["agentops.cost.usd"] == pytest.approx(spent) == pytest.approx(float(run.usd))
    tool = receiver.the("execute_tool ").attributes
    (call,) = company.calls(run)
    assert (tool["gen_ai.tool.name"], tool["gen_ai.tool.call.id"]) == ("look_up", "1:1")
    assert (tool["agentops.decision"], tool["agentops.effect"]) == ("ALLOW", "read")
    assert tool["agentops.arguments.digest"] == call.args_digest
    assert tool["agentops.outcome"] == "succeeded"
    assert not any(span.is_error for span in receiver.spans)


def test_nothing_that_anybody_said_is_told(company: Company, receiver: Receiver) -> None:
    refund(company)
    export_spans()
    told = b"".join(receiver.bodies)
    for said in (SECRET, ORDER["order_id"], SUBJECT):
        assert said.encode() not in told


def test_contents_are_told_where_a_setting_says_so(
    company: Company, receiver: Receiver, settings: Settings
) -> None:
    settings.OTEL_CAPTURE_CONTENT = True
    refund(company)
    export_spans()
    assert SECRET in receiver.named("chat ")[0].attributes["gen_ai.output.messages"]
    assert SECRET in receiver.the("invoke_agent ").attributes["gen_ai.output.messages"]
    tool = receiver.the("execute_tool ").attributes
    assert ORDER["order_id"] in tool["gen_ai.tool.call.arguments"]
    assert tool["gen_ai.tool.call.result"]


def test_a_caller_who_wants_no_record_gets_none(company: Company, receiver: Receiver) -> None:
    refund(company, flags="00")
    assert export_spans() == 0
    assert not receiver.spans


def test_without_a_collector_nothing_is_kept_for_one(company: Company) -> None:
    refund(company)
    assert not SpanExport.objects.exists()
    assert export_spans() == 0


def test_told_to_the_end_a_run_leaves_nothing_to_tell(company: Company, receiver: Receiver) -> None:
    refund(company)
    assert [export_spans(), export_spans()] == [1, 0]
    assert not SpanExport.objects.exists()
    assert len(receiver.spans) == 4


def test_told_twice_it_is_the_same_spans(company: Company, receiver: Receiver) -> None:
    """As after a crash between the sending and the note that it was sent."""
    run = refund(company)
    row = SpanExport.objects.get()
    export_spans()
    row.save(force_insert=True)
    export_spans()
    first, again = receiver.spans[:4], receiver.spans[4:]
    assert first == again
    assert not SpanExport.objects.filter(run=run).exists()


def test_a_run_that_goes_on_is_told_of_as_far_as_it_went(company: Company, receiver: Receiver) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    run = company.run(proposes(("refund", ORDER)), says("Done."))
    assert run.state == "requires_action"
    assert [export_spans(), export_spans()] == [1, 0]
    assert [span.name.split()[0] for span in receiver.spans] == ["chat"]
    company.decide()
    company.drive(run)
    export_spans()
    names = [span.name.split()[0] for span in receiver.spans]
    assert names == ["chat", "await_approval", "execute_tool", "chat", "invoke_agent"]
    waited, made = receiver.the("await_approval "), receiver.the("execute_tool ")
    assert waited.attributes["agentops.outcome"] == "granted"
    assert waited.attributes["agentops.approval.id"] == made.attributes["agentops.approval.id"]
    assert waited.ended <= made.began


def test_what_went_wrong_is_an_error_with_its_code(company: Company, receiver: Receiver) -> None:
    company.add_tool("refund", grant=None)
    run = company.run(proposes(("refund", ORDER)), says("It was not allowed."))
    export_spans()
    (call,) = company.calls(run)
    tool = receiver.the("execute_tool ")
    assert tool.is_error
    assert tool.attributes["error.type"] == call.code
    assert tool.attributes["agentops.outcome"] == "refused"


@pytest.mark.slow
@pytest.mark.parametrize("answers", [400, 503])
def test_a_collector_that_refuses_gets_it_later(company: Company, receiver: Receiver, answers: int) -> None:
    refund(company)
    receiver.answers = answers
    assert export_spans() == 0
    row = SpanExport.objects.get()
    assert (row.seq, row.failures) == (0, 1)
    assert export_spans() == 0  # it is put off
    receiver.answers = 200
    SpanExport.objects.update(due_at=row.run.created_at)
    assert export_spans() == 1
    assert len(receiver.spans) == 4


@pytest.mark.slow
def test_a_collector_that_is_gone_holds_up_nothing(company: Company, settings: Settings) -> None:
    with Receiver() as gone:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = gone.url
    refund(company)  # the run goes its way
    began = time.monotonic()
    assert export_spans() == 0
    assert time.monotonic() - began < 30
    row = SpanExport.objects.get()
    with Receiver() as back:
        settings.OTEL_EXPORTER_OTLP_ENDPOINT = back.url
        SpanExport.objects.update(due_at=row.run.created_at)
        assert export_spans() == 1
        assert len(back.spans) == 4


def test_other_runs_are_given_back_when_one_is_not_taken(company: Company, receiver: Receiver) -> None:
    refund(company)
    company.play(says("Hello."))
    company.drive(company.start())
    receiver.answers = 400
    export_spans()
    assert sorted(SpanExport.objects.values_list("failures", flat=True)) == [0, 1]
    receiver.answers = 200
    assert export_spans() == 1


def test_a_collector_elsewhere_is_reached_within_the_operators_networks(
    company: Company, receiver: Receiver, settings: Settings
) -> None:
    settings.OUTGOING_PRIVATE_NETWORKS = []
    refund(company)
    assert export_spans() == 0
    assert not receiver.headers


def test_the_collector_is_shown_the_operators_headers(
    company: Company, receiver: Receiver, settings: Settings
) -> None:
    settings.OTEL_EXPORTER_OTLP_HEADERS = "x-api-key=one%20two"
    refund(company)
    export_spans()
    assert receiver.headers[0]["x-api-key"] == "one two"


def test_a_long_run_is_told_in_parts_each_span_once(
    company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the parts fall: an attempt may begin in one and end in the next."""
    refund(company)
    monkeypatch.setattr(exporting, "MOST_ENTRIES", 1)
    row, passes = SpanExport.objects.get(), 0
    while SpanExport.objects.exists():
        assert export_spans() == 1
        passes += 1
    assert passes == len(company.entries(row.run))
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans) == 4


def test_what_is_under_way_when_a_run_is_killed_ends_with_it(company: Company, receiver: Receiver) -> None:
    company.let_decide(company.add_tool("refund", grant="REQUIRE_APPROVAL").tool)
    run = company.run(proposes(("refund", ORDER)))
    export_spans()
    kill_run(actor=company.cast.ada, run=run, reason="enough")
    company.drive(run)
    export_spans()
    root, waited = receiver.the("invoke_agent "), receiver.the("await_approval ")
    assert root.is_error
    assert (root.attributes["agentops.run.state"], root.attributes["error.type"]) == ("halted", "killed")
    assert waited.ended <= root.ended
    assert not SpanExport.objects.exists()


def test_passes_are_scheduled() -> None:
    scheduled = {entry["task"] for entry in current_app.conf.beat_schedule.values()}
    assert {"runs.export_spans", "runs.count"} <= scheduled

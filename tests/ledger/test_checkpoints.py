"""What was signed is found to be missing or written anew, however well what is there fits in itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.utils import timezone

from agentops.errors import StateConflict
from agentops.ledger import checkpoint_faults, checkpoints, standalone
from agentops.ledger.checkpoints import digest_of, statement_of, take_checkpoint, take_checkpoints
from agentops.ledger.models import Checkpoint, CheckpointHead, CheckpointKey, Entry, Stream
from agentops.ledger.statements import Leaf, Statement, merkle_root
from agentops.ledger.tasks import sign_heads
from agentops.sealed_rows import rewrap_all
from tests.ledger.forging import as_application, as_owner, faults, write_stream
from tests.ledger.test_guards import REFUSED
from tests.ledger.test_standalone import Lines, export, run_alone
from tests.ledger.test_verification import forge

pytestmark = pytest.mark.django_db(transaction=True)

Owner = psycopg.Connection[Any]


def sign() -> Checkpoint:
    made = take_checkpoint(now=timezone.now())
    assert made is not None
    return made


def found(lines: Lines, **known: str) -> list[tuple[str, int, str]]:
    report = standalone.verify(lines, **known)
    return [(fault.stream, fault.seq, fault.code) for fault in report.faults]


def cut_off(stream: UUID, last: int) -> None:
    """Take the end of a stream away together with its head, as the owner can."""
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s AND seq > %s", [stream, last])
        owner.execute(
            "UPDATE ledger_stream s SET head_seq = %s, head_hash = coalesce((SELECT hash FROM ledger_entry e"
            " WHERE e.stream = s.id AND e.seq = %s), s.head_hash) WHERE s.id = %s",
            [last, last, stream],
        )


def vanish(stream: UUID) -> None:
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_entry WHERE stream = %s", [stream])
        owner.execute("DELETE FROM ledger_stream WHERE id = %s", [stream])


# --- taking them ------------------------------------------------------------------------------------------


def test_a_checkpoint_holds_what_has_moved_since_the_last() -> None:
    first, second = write_stream(3), write_stream(2)
    one = sign()
    assert (one.number, one.heads, take_checkpoint(now=timezone.now())) == (1, 2, None)
    write_stream(2, second)
    two = sign()
    assert (two.number, two.heads, bytes(two.prev_digest)) == (2, 1, digest_of(one))
    heads = CheckpointHead.objects.order_by("checkpoint", "stream_id")
    assert list(heads.values_list("checkpoint", "stream_id", "seq")) == [
        *sorted([(1, first, 3), (1, second, 2)]),
        (2, second, 4),
    ]
    assert faults() == []


def test_many_heads_take_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "MOST_HEADS", 2)
    for _ in range(5):
        write_stream(1)
    assert sign_heads() == 5
    assert list(Checkpoint.objects.order_by("number").values_list("heads", flat=True)) == [2, 2, 1]
    assert faults() == []


def test_the_key_is_made_once_and_kept_sealed() -> None:
    write_stream(1)
    sign()
    write_stream(1)
    sign()
    key = CheckpointKey.objects.get()
    assert {bytes(row.public_key) for row in Checkpoint.objects.all()} == {bytes(key.public_key)}
    assert rewrap_all()["ledger.checkpointkey.sealed_private_key"] == 0, "it is under the first key already"


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6, 7, 8, 9])
def test_both_verifiers_make_the_same_root(count: int) -> None:
    leaves = [Leaf(UUID(int=number), number, bytes([number]) * 32) for number in range(count)]
    heads = [[str(leaf.stream), leaf.seq, leaf.hash.hex()] for leaf in leaves]
    root = merkle_root(leaves)
    assert root.hex() == standalone.merkle_root(heads)
    for number in range(count):
        others = [
            *leaves[:number],
            Leaf(leaves[number].stream, 99, leaves[number].hash),
            *leaves[number + 1 :],
        ]
        assert merkle_root(others) != root


# --- what they find ---------------------------------------------------------------------------------------


def test_a_consistent_rewrite_is_found() -> None:
    write_stream(2)
    stream = write_stream(5)
    sign()
    forge(stream, 3, 5, head=True)
    assert faults() == faults(stream) == [(stream, 5, "rewritten")]
    assert found(export()) == [(str(stream), 5, "rewritten")]


def test_a_rewrite_is_found_behind_the_last_head_that_fits() -> None:
    stream = write_stream(2)
    for _ in range(3):
        sign()
        write_stream(2, stream)
    forge(stream, 4, 8, head=True)
    assert faults() == [(stream, 4, "rewritten")]
    assert found(export()) == [(str(stream), 4, "rewritten")]


@pytest.mark.parametrize("left", [1, 4])
def test_an_end_that_was_cut_off_with_its_head_is_found(left: int) -> None:
    stream = write_stream(5)
    sign()
    cut_off(stream, left)
    assert faults() == [(stream, left + 1, "truncated")]
    assert found(export()) == [(str(stream), left + 1, "truncated")]


def test_an_end_that_was_cut_off_and_grown_again_is_found() -> None:
    stream = write_stream(5)
    sign()
    cut_off(stream, 3)
    write_stream(4, stream)
    assert faults() == [(stream, 5, "rewritten")]
    assert found(export()) == [(str(stream), 5, "rewritten")]


def test_a_stream_that_has_vanished_is_found() -> None:
    stream, other = write_stream(3), write_stream(3)
    sign()
    vanish(stream)
    assert faults() == [(stream, 1, "truncated")]
    assert faults(other) == []
    assert found(export()) == [(str(stream), 1, "truncated")]


def test_a_whole_ledger_that_was_written_anew_is_found() -> None:
    streams = sorted(write_stream(3) for _ in range(3))
    sign()
    for stream in streams:
        forge(stream, 1, 3, head=True)
    assert faults() == [(stream, 3, "rewritten") for stream in streams]


def test_what_was_not_signed_yet_is_not_found() -> None:
    """The limit: what is younger than the last checkpoint, by default five minutes."""
    write_stream(2)
    sign()
    stream = write_stream(5)
    forge(stream, 1, 5, head=True)
    assert faults() == []


@pytest.mark.parametrize("mutant", [checkpoint_faults, standalone])
def test_without_comparing_heads_a_rewrite_would_pass(monkeypatch: pytest.MonkeyPatch, mutant: Any) -> None:
    """The mutants: each verifier reads checkpoints, and compares no entry with them."""
    stream = write_stream(3)
    sign()
    forge(stream, 1, 3, head=True)
    if mutant is standalone:
        monkeypatch.setattr(standalone._Signed, "compare", lambda self, row: None)
        monkeypatch.setattr(standalone._Signed, "finish", lambda self, stream, last_seq: None)
        assert found(export()) == []
    else:
        monkeypatch.setattr(
            checkpoint_faults, "_GONE", "SELECT 1 WHERE %s::uuid[] IS NOT NULL AND %s IS NULL"
        )
        assert faults() == []


# --- forging them -----------------------------------------------------------------------------------------


def sign_anew(owner: Owner, row: Checkpoint, private: Ed25519PrivateKey) -> None:
    """Sign a checkpoint over the ledger as it was written anew, with a key of one's own."""
    owner.execute(
        "UPDATE ledger_checkpoint_head h SET hash = s.head_hash FROM ledger_stream s WHERE s.id = h.stream"
    )
    rows = owner.execute("SELECT stream, seq, hash FROM ledger_checkpoint_head ORDER BY stream").fetchall()
    root = merkle_root(Leaf(stream, seq, bytes(hashed)) for stream, seq, hashed in rows)
    public = private.public_key().public_bytes_raw()
    said = Statement(row.number, row.at, public, row.heads, root, bytes(row.prev_digest))
    owner.execute(
        "UPDATE ledger_checkpoint SET root = %s, public_key = %s, signature = %s",
        [root, public, private.sign(said.data())],
    )


@pytest.mark.parametrize("planted", [False, True])
def test_whoever_owns_the_database_cannot_sign(planted: bool) -> None:
    """Even with a key of theirs in the table: its private half was not sealed here."""
    stream = write_stream(3)
    made = sign()
    genuine = bytes(made.public_key).hex()
    forge(stream, 1, 3, head=True)
    private = Ed25519PrivateKey.generate()
    with as_owner() as owner:
        sign_anew(owner, made, private)
        if planted:
            owner.execute(
                "INSERT INTO ledger_checkpoint_key (id, public_key, sealed_private_key, created_at)"
                " SELECT gen_random_uuid(), %s, sealed_private_key, now() FROM ledger_checkpoint_key",
                [private.public_key().public_bytes_raw()],
            )
    assert faults() == faults(stream) == [(made.pk, 1, "forged")]
    assert found(export()) == [], "without the key from elsewhere the export fits in itself"
    assert found(export(), key=genuine) == [("checkpoint 1", 1, "forged")]


CHANGES: dict[str, str] = {
    "another root": "UPDATE ledger_checkpoint SET root = prev_digest WHERE number = 2",
    "another time": "UPDATE ledger_checkpoint SET at = at - interval '1 hour' WHERE number = 2",
    "another signature": "UPDATE ledger_checkpoint SET signature = decode(repeat('ab', 64), 'hex') WHERE number = 2",
    "a head less": "DELETE FROM ledger_checkpoint_head WHERE checkpoint = 2",
    "another head": "UPDATE ledger_checkpoint_head SET checkpoint = 3 WHERE checkpoint = 2",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_checkpoint_is_found(change: Any) -> None:
    for _ in range(3):
        write_stream(2)
        sign()
    with as_owner() as owner:
        owner.execute(change)
    named = {(seq, code) for _, seq, code in faults()}
    assert named & {(2, "forged"), (3, "forged")}
    assert {(seq, code) for _, seq, code in found(export())} & {(2, "forged"), (3, "forged")}


def test_a_checkpoint_that_is_missing_in_the_middle_is_found() -> None:
    for _ in range(3):
        write_stream(2)
        sign()
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_checkpoint WHERE number = 2")
        owner.execute("DELETE FROM ledger_checkpoint_head WHERE checkpoint = 2")
    assert [(seq, code) for _, seq, code in faults()] == [(3, "forged")]
    assert found(export()) == [("checkpoint 3", 3, "forged")]


def test_checkpoints_that_were_cut_off_are_found_by_a_digest_kept_elsewhere() -> None:
    write_stream(2)
    sign()
    stream = write_stream(2)
    noted = digest_of(sign()).hex()
    call_command("verify", "--checkpoint", noted, stdout=StringIO())
    assert found(export(), checkpoint=noted) == []
    vanish(stream)
    with as_owner() as owner:
        owner.execute("DELETE FROM ledger_checkpoint WHERE number = 2")
        owner.execute("DELETE FROM ledger_checkpoint_head WHERE checkpoint = 2")
    assert faults() == [], "nothing that is left gives it away"
    assert found(export(), checkpoint=noted) == [("checkpoint 2", 2, "truncated")]
    with pytest.raises(CommandError):
        call_command("verify", "--checkpoint", noted, stdout=StringIO())


# --- the database -----------------------------------------------------------------------------------------

REFUSALS = [
    "UPDATE ledger_checkpoint SET root = prev_digest",
    "DELETE FROM ledger_checkpoint",
    "TRUNCATE ledger_checkpoint",
    "UPDATE ledger_checkpoint_head SET hash = '\\x00'",
    "DELETE FROM ledger_checkpoint_head",
    "TRUNCATE ledger_checkpoint_head",
    "DELETE FROM ledger_checkpoint_key",
    "TRUNCATE ledger_checkpoint_key",
]
Connect = Callable[[], Any]


@pytest.mark.parametrize("statement", REFUSALS)
@pytest.mark.parametrize("connect", [as_application, lambda: as_owner(triggers=True)], ids=["app", "owner"])
def test_the_database_refuses_to_change_them(statement: Any, connect: Connect) -> None:
    write_stream(2)
    sign()
    with connect() as connection, pytest.raises(REFUSED):
        connection.execute(statement)
    assert faults() == []


def test_the_application_cannot_exchange_a_public_key() -> None:
    write_stream(2)
    sign()
    with as_application() as connection, pytest.raises(REFUSED):
        connection.execute("UPDATE ledger_checkpoint_key SET public_key = '\\x00'")


# --- verifying elsewhere ----------------------------------------------------------------------------------


def test_an_auditor_verifies_with_the_key_alone(tmp_path: Path) -> None:
    stream = write_stream(3)
    out = StringIO()
    call_command("checkpoint", stdout=out)
    said = dict(line.rsplit(" ", 1) for line in out.getvalue().splitlines()[1:])
    known = ("--key", said["public key"], "--checkpoint", said["digest"], "--json")

    def verify() -> subprocess.CompletedProcess[str]:
        return run_alone(tmp_path, "-", *known, text="".join(export()))

    done = verify()
    assert (done.returncode, json.loads(done.stdout)["ok"]) == (0, True), done.stderr
    forge(stream, 2, 3, head=True)
    done = verify()
    assert (done.returncode, json.loads(done.stdout)["faults"][0]["code"]) == (1, "rewritten")


def test_our_own_ed25519_agrees_with_the_librarys() -> None:
    for number in range(8):
        private = Ed25519PrivateKey.generate()
        public, message = private.public_key().public_bytes_raw(), bytes([number]) * number
        signature = private.sign(message)
        assert standalone.is_signed(public, signature, message)
        bent = bytearray(signature)
        bent[number * 8] ^= 1
        assert not standalone.is_signed(public, bytes(bent), message)
        assert not standalone.is_signed(public, signature, message + b"!")
        assert not standalone.is_signed(public[::-1], signature, message)
    assert not standalone.is_signed(b"", b"", b"")


def test_a_signature_is_taken_in_one_form_only() -> None:
    """RFC 8032, 5.1.7: s is below the order, or every signature had a twin."""
    private = Ed25519PrivateKey.generate()
    signature = private.sign(b"words")
    s = int.from_bytes(signature[32:], "little") + standalone._ORDER
    twin = signature[:32] + s.to_bytes(32, "little")
    assert not standalone.is_signed(private.public_key().public_bytes_raw(), twin, b"words")


def test_nothing_of_it_is_personal() -> None:
    write_stream(2)
    made = sign()
    assert "words" not in statement_of(made).data().decode()
    assert take_checkpoints(now=timezone.now()) == 0


# --- on top of what is signed, and by whom ----------------------------------------------------------------


def write_anew(stream: UUID, number: int) -> None:
    """Write a stream and the checkpoint over it anew, under our key's name, with a signature that is none."""
    forge(stream, 1, 3, head=True)
    with as_owner() as owner:
        owner.execute(
            "UPDATE ledger_checkpoint_head h SET hash = s.head_hash FROM ledger_stream s WHERE s.id = h.stream"
        )
        rows = owner.execute(
            "SELECT stream, seq, hash FROM ledger_checkpoint_head WHERE checkpoint = %s ORDER BY stream",
            [number],
        ).fetchall()
        root = merkle_root(Leaf(stream, seq, bytes(hashed)) for stream, seq, hashed in rows)
        owner.execute(
            "UPDATE ledger_checkpoint SET root = %s, signature = %s WHERE number = %s",
            [root, b"\xab" * 64, number],
        )


def sign_two_and_forge_the_second() -> str:
    """Return the public key, of which the forgery has the name."""
    write_stream(1)
    genuine = bytes(sign().public_key).hex()
    stream = write_stream(3)
    sign()
    write_anew(stream, 2)
    write_stream(1)
    return genuine


def test_nothing_is_signed_on_top_of_a_forged_checkpoint() -> None:
    """A signature vouches for all that it binds: on top of a forged one ours would have made the forgery good."""
    genuine = sign_two_and_forge_the_second()
    with pytest.raises(StateConflict, match="checkpoint 2 is not what was signed"):
        sign()
    assert Checkpoint.objects.count() == 2
    assert found(export(), key=genuine) == [("checkpoint 2", 2, "forged")]


def test_without_looking_a_forgery_would_be_vouched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant: who verifies by the key alone is told that all fits."""
    genuine = sign_two_and_forge_the_second()
    monkeypatch.setattr(checkpoints, "check_last", lambda last, own: None)
    sign()
    assert found(export(), key=genuine) == []


def test_the_scheduler_says_so_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    sign_two_and_forge_the_second()
    assert sign_heads() == 0
    assert "nothing is signed" in caplog.text


def rotate() -> tuple[str, str]:
    """Have the next key sign; return the public key and the digest to be noted."""
    out = StringIO()
    call_command("checkpoint", "--rotate", stdout=out)
    said = dict(line.rsplit(" ", 1) for line in out.getvalue().splitlines()[1:])
    return said["public key"], said["digest"]


def test_a_key_is_followed_by_the_next_and_what_it_signed_still_verifies() -> None:
    stream = write_stream(3)
    first = bytes(sign().public_key).hex()
    second, digest = rotate()
    write_stream(2, stream)
    third, _ = rotate()
    write_stream(2, stream)
    sign()
    keys = [bytes(row.public_key).hex() for row in Checkpoint.objects.order_by("number")]
    assert keys == [first, second, third, third]
    assert faults() == faults(stream) == []
    assert found(export(), key=third, checkpoint=digest) == []
    (entry, _) = Entry.objects.filter(kind="checkpoint_key.rotated").order_by("stream_id")
    assert entry.facts == {"public_key": second, "replaces": first}


def test_an_auditor_who_knows_the_earlier_key_only_is_told_so() -> None:
    stream = write_stream(3)
    first = bytes(sign().public_key).hex()
    second, _ = rotate()
    assert found(export(), key=first) == [("checkpoint 2", 2, "forged")]
    assert found(export(), key=f"{first},{second}") == []
    forge(stream, 1, 3, head=True)
    assert found(export(), key=second) == [(str(stream), 3, "rewritten")]


def sign_with(row: CheckpointKey) -> Checkpoint:
    """Sign as somebody would who has stolen this key's private half."""
    private = checkpoints._open(row)
    assert private is not None
    last = Checkpoint.objects.order_by("-number").first()
    assert last is not None
    written = Stream.objects.get(pk=write_stream(1))
    heads = [Leaf(written.pk, written.head_seq, bytes(written.head_hash))]
    said = Statement(
        last.number + 1, timezone.now(), bytes(row.public_key), 1, merkle_root(heads), digest_of(last)
    )
    made = Checkpoint.objects.create(
        number=said.number, at=said.at, public_key=said.public_key, heads=1, root=said.root,
        prev_digest=said.prev_digest, signature=private.sign(said.data()),
    )  # fmt: skip
    for head in heads:
        CheckpointHead.objects.create(
            stream_id=head.stream, seq=head.seq, hash=head.hash, checkpoint=made.number
        )
    return made


def test_a_key_that_was_replaced_signs_no_more_even_in_the_hands_of_a_thief() -> None:
    write_stream(3)
    sign()
    stolen = CheckpointKey.objects.get()
    second, _ = rotate()
    made = sign_with(stolen)
    assert faults() == [(made.pk, 3, "forged")]
    assert found(export(), key=second) == [("checkpoint 3", 3, "forged")]
    assert found(export(), key=f"{bytes(stolen.public_key).hex()},{second}") == [
        ("checkpoint 3", 3, "forged")
    ]
    assert found(export()) == [("checkpoint 3", 3, "forged")]
    write_stream(1)
    with pytest.raises(StateConflict, match="checkpoint 3 was signed by a key that was replaced"):
        sign()


@pytest.mark.parametrize("mutant", [checkpoint_faults, standalone])
def test_without_that_rule_a_stolen_key_would_count_for_ever(
    monkeypatch: pytest.MonkeyPatch, mutant: Any
) -> None:
    write_stream(3)
    sign()
    stolen = CheckpointKey.objects.get()
    rotate()
    sign_with(stolen)
    if mutant is standalone:
        monkeypatch.setattr(standalone._Signed, "_is_replaced", lambda self, key: False)
        assert found(export()) == []
    else:
        monkeypatch.setattr(checkpoint_faults, "_is_replaced", lambda key, before: False)
        assert faults() == []


def test_after_a_forgery_a_person_has_the_next_key_go_on_and_it_stays_named() -> None:
    sign_two_and_forge_the_second()
    rotate()
    write_stream(1)
    sign()
    assert [(seq, code) for _, seq, code in faults()] == [(2, "forged")]

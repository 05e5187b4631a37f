"""When a schedule is due, in whichever time zone, and by how much each start is put off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentops.errors import ValidationFailed
from runs.schedules.timing import check_times, explain, first_after, last_times, put_off

BERLIN = "Europe/Berlin"
ID = UUID(int=7)


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "after", "first"),
    [
        ("0 9 * * 1-5", "UTC", "2026-11-27 09:00", "2026-11-30 09:00"),  # a Friday, at the time itself
        ("0 9 * * *", BERLIN, "2026-07-01 06:59", "2026-07-01 07:00"),
        ("0 9 * * *", BERLIN, "2026-12-01 07:59", "2026-12-01 08:00"),
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-28 12:00",
            "2026-03-29 01:00",
        ),  # there is no half past two that night
        ("0 0 29 2 *", "UTC", "2026-01-01 00:00", "2028-02-29 00:00"),
        ("*/15 * * * *", "UTC", "2026-01-01 00:14:59", "2026-01-01 00:15"),
    ],
)
def test_the_next_time(cron: str, zone: str, after: str, first: str) -> None:
    assert first_after(cron, zone, at(after)) == at(first)


def test_where_clocks_go_back_a_daily_time_comes_once() -> None:
    first = first_after("30 2 * * *", BERLIN, at("2026-10-24 12:00"))
    assert first == at("2026-10-25 00:30")
    assert first_after("30 2 * * *", BERLIN, first) == at("2026-10-26 01:30")


@pytest.mark.parametrize(
    ("cron", "zone", "code"),
    [
        ("", "UTC", "bad_cron"), ("@daily", "UTC", "bad_cron"), ("61 * * * *", "UTC", "bad_cron"),
        ("* * * * * *", "UTC", "bad_cron"), ("0 0 31 2 *", "UTC", "bad_cron"), ("0 9 * * 1-5\x00", "UTC", "bad_cron"),
        ("0 9 * * *", "Europe/Atlantis", "bad_timezone"), ("0 9 * * *", "", "bad_timezone"),
        ("0 9 * * *", "../../etc/passwd", "bad_timezone"), ("0 9 * * *", "/etc/localtime", "bad_timezone"),
        ("0 9 * * *", "UTC\x00", "bad_timezone"), ("0 9 * * *", "Europe", "bad_timezone"),
    ],
)  # fmt: skip
def test_what_names_no_time_is_refused(cron: str, zone: str, code: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        check_times(cron, zone)
    assert refused.value.code == code


def test_times_that_went_by_are_the_last_ones() -> None:
    first, now = at("2026-01-01 00:00"), at("2026-01-01 04:10")
    assert last_times("0 * * * *", "UTC", first, now, 100) == [
        at(f"2026-01-01 0{hour}:00") for hour in range(5)
    ]
    assert last_times("0 * * * *", "UTC", first, now, 2) == [at("2026-01-01 03:00"), at("2026-01-01 04:00")]
    assert last_times("0 * * * *", "UTC", first, first, 9) == [first]


def test_a_minutely_one_that_was_missed_for_ten_years_is_read_at_once() -> None:
    """It looks back from now: to walk through five million times would take a minute."""
    found = last_times("* * * * *", "UTC", at("2016-01-01 00:00"), at("2026-01-01 00:00"), 3)
    assert found[-1] == at("2026-01-01 00:00")
    assert len(found) == 3


@given(
    st.sampled_from(["0 9 * * 1-5", "*/7 * * * *", "30 2 * * *", "15 0 1 * *", "0 */6 * * 0"]),
    st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)),
)
def test_looking_back_finds_what_looking_ahead_has_found(cron: str, zone: str, moment: datetime) -> None:
    times = [first_after(cron, zone, moment.replace(tzinfo=UTC))]
    for _ in range(5):
        times.append(first_after(cron, zone, times[-1]))
    assert times == sorted(set(times))
    assert last_times(cron, zone, times[0], times[-1], 10) == times


@given(st.uuids(), st.integers(0, 3_600))
def test_a_start_is_put_off_within_its_spread_and_always_alike(schedule: UUID, spread_s: int) -> None:
    due_at = at("2026-01-01 09:00")
    put = put_off(schedule, due_at, spread_s)
    assert timedelta() <= put - due_at <= timedelta(seconds=spread_s)
    assert put == put_off(schedule, due_at, spread_s)


def test_many_that_are_due_in_the_same_second_are_spread_out() -> None:
    """10,000 within ten minutes: no second has many more than its part of them (16.6)."""
    due_at = at("2026-01-01 09:00")
    starts = [put_off(UUID(int=number), due_at, 599) for number in range(10_000)]
    fullest = max(starts.count(moment) for moment in set(starts))
    assert len(set(starts)) == 600
    assert fullest < 45


def test_another_day_is_put_off_by_another_time() -> None:
    starts = {put_off(ID, at("2026-01-01 09:00") + timedelta(days=day), 3_600).minute for day in range(30)}
    assert len(starts) > 10


def test_an_expression_is_told_in_words() -> None:
    assert explain("0 9 * * 1-5") == "At 09:00 on Monday through Friday"

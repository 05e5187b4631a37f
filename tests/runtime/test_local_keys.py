"""The keys of a local stack."""

from __future__ import annotations

import json
import stat
from pathlib import Path

from agentops.runtime.local_keys import FILE_NAME, NAMES, load_or_create_keys, write_private
from agentops.sealing import named_keys


def test_keys_are_made_once_and_differ(tmp_path: Path) -> None:
    keys = load_or_create_keys(tmp_path)

    assert sorted(keys) == sorted(NAMES)
    assert len(set(keys.values())) == len(NAMES)
    assert load_or_create_keys(tmp_path) == keys
    assert len(named_keys((keys.pop("AGENTOPS_SEALING_KEYS"),))["local"]) >= 50
    assert all(len(key) >= 50 for key in keys.values())  # Django's check asks for it


def test_two_data_directories_share_no_key(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()

    assert set(load_or_create_keys(first).values()).isdisjoint(load_or_create_keys(second).values())


def test_a_missing_key_is_added_and_the_others_stay(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps({"SECRET_KEY": "kept"}))

    keys = load_or_create_keys(tmp_path)

    assert keys["SECRET_KEY"] == "kept"
    assert json.loads((tmp_path / FILE_NAME).read_text()) == keys


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    load_or_create_keys(tmp_path)
    write_private(tmp_path / FILE_NAME, "replaced")

    assert stat.S_IMODE((tmp_path / FILE_NAME).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]

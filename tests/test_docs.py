"""What the documents say about the repository holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentops.runtime.cli import COMMANDS
from agentops.runtime.supervision import ROOT
from agentops.runtime.testing import SUITES

DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in path.relative_to(ROOT).parts)
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
OPERATIONS = ROOT / "docs" / "operations.md"

FENCE = re.compile(r"^(```|~~~).*?^\1[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*$", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
VARIABLE = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")
HOMES = re.compile(r"/(?:home|Users|root)/\w|[A-Z]:\\Users")


def prose(path: Path) -> str:
    """Return a document without its fenced blocks."""
    return FENCE.sub("", path.read_text())


def anchors(path: Path) -> set[str]:
    """Return the fragments of a document's headings, as the usual renderers make them."""
    plain = (re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", title) for title in HEADING.findall(prose(path)))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in plain}


def broken_links(path: Path) -> Iterator[str]:
    """Yield the relative links that lead nowhere."""
    for link in LINK.findall(prose(path)):
        if ELSEWHERE.match(link):
            continue
        address, _, fragment = link.partition("#")
        target = path.parent / address if address else path
        missing = not target.exists()
        if missing or (fragment and target.suffix == ".md" and fragment not in anchors(target)):
            yield link


def section(path: Path, title: str) -> str:
    """Return the text under a heading, up to the next one."""
    _, _, rest = path.read_text().partition(f"# {title}\n")
    return rest.split("\n#", 1)[0]


def rows(table: str) -> dict[str, str]:
    """Return the second cell of each row by the first, both without backticks."""
    cells = [[cell.strip().strip("`") for cell in line.split("|")] for line in table.splitlines()]
    return {row[1]: row[2] for row in cells if len(row) > 3 and row[1].isupper()}


def settings_read() -> dict[str, str]:
    """Return the variables that the settings read with their defaults, "?" for one that is computed."""
    tree = ast.parse((ROOT / "config" / "settings.py").read_text())
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name) and owner.id == "env":
                name = ast.literal_eval(node.args[0])
                found[name] = next((shown(k.value) for k in node.keywords if k.arg == "default"), "required")
    return found


def shown(default: ast.expr) -> str:
    """Return a default as the document shows it."""
    try:
        value = ast.literal_eval(default)
    except ValueError:
        return "?"
    return str(value) if value not in ("", []) else "empty"


def test_there_are_documents() -> None:
    assert {"README.md", "CHANGELOG.md", "THREAT_MODEL.md", "docs/README.md"} <= set(NAMES)


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert list(broken_links(path)) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_no_document_names_a_place_on_somebodys_machine(path: Path) -> None:
    text = path.read_text()

    assert HOMES.findall(text) == []
    assert [place for place in (ROOT, Path.home()) if f"{place}/" in text] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=NAMES)
def test_every_command_exists(path: Path) -> None:
    named = set(re.findall(r"python3 -m agentops ([a-z]\w*)", path.read_text()))

    assert named - set(COMMANDS) == set()


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    pages = {path.name for path in (ROOT / "docs").glob("*.md")} - {"README.md"}

    assert pages - set(LINK.findall(index)) == set()


def test_the_readme_lists_every_suite() -> None:
    assert set(re.findall(r"^\| `([\w-]+)` \|", section(ROOT / "README.md", "Suites"), re.MULTILINE)) == set(
        SUITES
    )


def test_operations_lists_every_setting_with_its_default() -> None:
    documented, read = rows(section(OPERATIONS, "Settings")), settings_read()

    assert set(documented) == set(read)
    assert {name: documented[name] for name, default in read.items() if default != "?"} == {
        name: default for name, default in read.items() if default != "?"
    }


def test_operations_names_no_variable_that_nobody_reads() -> None:
    sources = [*ROOT.glob("deploy/*"), ROOT / "manage.py", ROOT / "Dockerfile", ROOT / "docker-compose.yml"]
    for package in ("agentops", "config", "runs"):
        sources += (ROOT / package).rglob("*.py")
    text = "\n".join(path.read_text() for path in sources if path.is_file())
    named = set(VARIABLE.findall(OPERATIONS.read_text()))

    assert len(named) > 20
    assert {name for name in named if name not in text} == set()


def test_the_threat_model_names_tests_that_exist() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "THREAT_MODEL.md").read_text()))

    assert len(named) > 20
    assert {name for name in named if not (ROOT / name).is_file()} == set()

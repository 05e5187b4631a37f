"""DMN documents in few words."""

from __future__ import annotations

DMN = "https://www.omg.org/spec/DMN/20230324/MODEL/"
ROOT = f'<definitions xmlns="{DMN}" name="m" namespace="urn:m">'
INPUT = '<inputData id="i" name="x"><variable name="x" typeRef="number"/></inputData>'
RULE = '<rule id="r"><inputEntry><text>-</text></inputEntry><outputEntry><text>1</text></outputEntry></rule>'
COLUMNS = '<input><inputExpression typeRef="number"><text>x</text></inputExpression></input><output/>'
TABLE = f"<decisionTable>{COLUMNS}{RULE}</decisionTable>"
REQUIRED = '<informationRequirement><requiredInput href="#i"/></informationRequirement>'


def document(*content: str, root: str = ROOT) -> bytes:
    """Return a document with this content."""
    return f"{root}{''.join(content)}</definitions>".encode()


def decision(logic: str = TABLE, requires: str = REQUIRED, *, name: str = "d") -> str:
    """Return a decision; its id is its name."""
    return f'<decision id="{name}" name="{name}">{requires}{logic}</decision>'


def formula(text: str, kind: str = "") -> str:
    """Return a literal expression."""
    return f"<literalExpression{f' typeRef={kind!r}' if kind else ''}><text>{text}</text></literalExpression>"


def requires(*names: str) -> str:
    """Return requirements of other decisions."""
    return "".join(
        f'<informationRequirement><requiredDecision href="#{name}"/></informationRequirement>'
        for name in names
    )

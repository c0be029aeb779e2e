"""The document of the rules is what the table says."""

from __future__ import annotations

from pathlib import Path

from augviz.advice import RULES, Severity
from augviz.advice.document import render_docs

PAGE = Path(__file__).parent.parent / "docs" / "advice.md"


def test_the_document_is_what_the_table_says() -> None:
    command = (
        'python -c "from augviz.advice.document import render_docs; print(render_docs(), end=str())" > docs/advice.md'
    )

    assert PAGE.read_text(encoding="utf-8") == render_docs(), f"write it again: {command}"


def test_the_document_lists_every_rule_once_under_its_severity() -> None:
    text = render_docs()
    heads = {Severity.ERROR: "## Errors", Severity.WARNING: "## Warnings", Severity.NOTE: "## Notes"}
    for rule in RULES:
        section = text.split(heads[rule.severity])[1].split("\n## ")[0]

        assert section.count(f"| `{rule.name}` |") == 1

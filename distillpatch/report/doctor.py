"""The findings of ``doctor``, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from distillpatch.doctor import Finding
from distillpatch.report.page import Block, Cell, Line, Span, Table


def doctor_page(findings: Sequence[Finding]) -> Iterator[Block]:
    """Yield a line for each fact, what is wrong below it, and a verdict."""
    rows: list[tuple[Cell, Cell]] = []
    for finding in findings:
        rows.append((Span(finding.name, "bold"), finding.value))
        rows += [("", Span(line, "magenta")) for line in finding.problem.splitlines()]
    yield Table(("", ""), rows)
    count = sum(bool(finding.problem) for finding in findings)
    yield ""
    yield Line(Span(f"{count} to look at." if count else "Nothing is wrong.", "magenta" if count else "green"))


def doctor_report(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for programs."""
    return {
        "findings": [
            {"name": finding.name, "value": finding.value, "problem": finding.problem or None} for finding in findings
        ]
    }

"""The findings of ``doctor``, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from distillpatch.doctor import Finding
from distillpatch.report.page import Block, Line, Span


def doctor_page(findings: Sequence[Finding]) -> Iterator[Block]:
    """Yield a line for each fact, what is wrong below it, and a verdict."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        yield Line(Span(f"{finding.name:{width}}", "bold"), f"  {finding.value}")
        if finding.problem:
            yield Line(" " * width, "  ", Span(finding.problem, "magenta"))
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

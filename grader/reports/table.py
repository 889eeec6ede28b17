"""One row per check, as CSV (RFC 4180), for spreadsheets."""

import csv
import io
from typing import Any

from grader.reports.wording import one_line, partial

COLUMNS = ("id", "level", "verdict", "points", "max_points", "seconds", "location", "claim", "message", "hint")
ALSO = ("share", "partial_credit")
FORMULA = tuple("=+-@＝＋－＠")


def render(results: dict[str, Any]) -> str:
    page = io.StringIO()
    rows = csv.writer(page)
    rows.writerow([*COLUMNS, *ALSO])
    for check in results["checks"]:
        rows.writerow(cell(value) for value in (*(check[name] for name in COLUMNS), check["share"], partial(check)))
    return page.getvalue()


def cell(value: Any) -> Any:
    """Escape what a spreadsheet would take for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text

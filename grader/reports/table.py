"""One row per check, as CSV (RFC 4180), for spreadsheets."""

import csv
import io
from typing import Any

from grader.reports.wording import one_line

COLUMNS = ("id", "level", "verdict", "points", "max_points", "seconds", "location", "claim", "message", "hint")
FORMULA = tuple("=+-@＝＋－＠")


def render(results: dict[str, Any]) -> str:
    page = io.StringIO()
    rows = csv.writer(page)
    rows.writerow(COLUMNS)
    rows.writerows([cell(check[column]) for column in COLUMNS] for check in results["checks"])
    return page.getvalue()


def cell(value: Any) -> Any:
    """Escape what a spreadsheet would take for a formula: https://owasp.org/www-community/attacks/CSV_Injection"""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.startswith(FORMULA) else text

"""Rows as Parquet, through polars."""

from io import BytesIO
from typing import Any

import polars

__all__ = ["parquet"]

TEXT = ("kind", "when", "boot", "visit", "verdict", "label", "rule", "action", "what")
WHOLE = ("row", "seen", "refused", "pictures")


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Return flat rows as a Parquet file; columns keep their types when all of them are empty."""
    types: dict[str, Any] = dict.fromkeys(TEXT, polars.String) | dict.fromkeys(WHOLE, polars.Int64)
    types |= {"time": polars.Float64, "wall": polars.Float64, "trusted": polars.Boolean}
    order = list(rows[0]) if rows else list(types)
    out = BytesIO()
    polars.DataFrame(rows, schema={name: types[name] for name in order}).write_parquet(out)
    return out.getvalue()

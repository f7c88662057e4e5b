"""Results as JSON files."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wm_lightning.files import replacing


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Writes a record; the old file stays whole until the new one is.

    Args:
        path: Its folder is made where it is not there.
        record: Of plain values. NaN and infinities, which JSON does not have, become null.
    """
    text = json.dumps(_with_null(record), indent=2, ensure_ascii=False, allow_nan=False)
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8")


def _with_null(value: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    if isinstance(value, Mapping):
        return {key: _with_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_null(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value

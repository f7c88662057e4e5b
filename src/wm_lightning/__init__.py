"""Train, measure and use models that remove visible watermarks from photographs."""

import os

# Albumentations asks the package index for a newer version at import; this project makes no such calls.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

__version__ = "0.1.0"

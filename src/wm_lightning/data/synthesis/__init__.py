"""Watermark synthesis: sample a specification, render it, blend it.

``spec`` says what one mark is, ``sampler`` is the only randomness, ``assets`` the only file access, ``render`` and
``blend`` are deterministic; ``synthesizer`` puts them together.
"""

from wm_lightning.data.synthesis.sampler import MarkSampler
from wm_lightning.data.synthesis.spec import MarkSpec
from wm_lightning.data.synthesis.synthesizer import Synthesizer, View

__all__ = ["MarkSampler", "MarkSpec", "Synthesizer", "View"]

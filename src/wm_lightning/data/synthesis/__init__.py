"""Watermark synthesis: sample a specification, render it, blend it.

``spec`` says what a mark is, and ``art`` what it shows; ``arts``, ``design_sampler``, ``placement``, ``sampler`` and
``degradation`` draw specifications and are the only randomness; ``assets`` is the only file access; ``draw``,
``emblems``, ``figures``, ``designs``, ``render`` and ``blend`` are deterministic; ``synthesizer`` puts them together.
"""

from wm_lightning.data.synthesis.arts import LogoSampler, TextSampler
from wm_lightning.data.synthesis.assets import Assets, find_assets
from wm_lightning.data.synthesis.degradation import DegradationSampler
from wm_lightning.data.synthesis.design_sampler import DesignSampler
from wm_lightning.data.synthesis.sampler import MarkSampler
from wm_lightning.data.synthesis.spec import DegradationSpec, MarkSpec, OwnArt, ViewSpec, from_json, to_json
from wm_lightning.data.synthesis.synthesizer import Synthesizer, View, replay

__all__ = [
    "Assets",
    "DegradationSampler",
    "DegradationSpec",
    "DesignSampler",
    "LogoSampler",
    "MarkSampler",
    "MarkSpec",
    "OwnArt",
    "Synthesizer",
    "TextSampler",
    "View",
    "ViewSpec",
    "find_assets",
    "from_json",
    "replay",
    "to_json",
]

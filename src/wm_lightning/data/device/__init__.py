"""Training pairs that the training's device puts together, a batch at once, in place of the loader processes.

These draw everything (``pairs``): what happens to a pair is the same wherever it happens, to a grey level or so.
``augmentation``, ``blending``, ``degradation`` and ``jpeg`` are what the device computes, in whole grey levels
(``levels``).
"""

"""A network looks again on copies of a picture."""

import numpy as np

from wm_lightning.inference.copies import COPIES, seen_again


def test_the_copies_show_the_mark_at_its_place(engine, textured, marked):
    picture = marked(textured(64, 80), slice(8, 40), slice(12, 50)).astype(np.float32) / 255
    copies = [seen_again(engine, on_copy, picture) for on_copy in COPIES]
    assert engine.seen == [(48, 60), (64, 80), (64, 80), (83, 104)]
    for seen in copies:
        assert seen.shape == (64, 80)
        assert (seen[10:38, 14:48] > 0.9).all()
        assert (seen[48:] < 0.1).all()
        assert (seen[:, 56:] < 0.1).all()

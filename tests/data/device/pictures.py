"""Real photographs in small parts, and how far two pictures are apart."""

import numpy as np
import skimage.data
import torch


def photographs(count, size):
    """Parts of pictures that scikit-image ships, (size, size, 3) uint8, each another one."""
    whole = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
    generator = np.random.default_rng(0)
    parts = []
    for number in range(count):
        picture = whole[number % len(whole)]
        top, left = (int(generator.integers(side - size)) for side in picture.shape[:2])
        parts.append(picture[top : top + size, left : left + size].copy())
    return parts


def batch_of(pictures):
    """One picture a pair, (B, 1, 3, H, W), in grey levels."""
    return torch.from_numpy(np.stack(pictures)).movedim(-1, 1)[:, None].float()


def unbatched(batch):
    return batch[:, 0].movedim(1, -1).byte().numpy()


def psnr(one, other):
    return 10 * np.log10(255**2 / max(1e-6, np.mean((one.astype(float) - other) ** 2)))

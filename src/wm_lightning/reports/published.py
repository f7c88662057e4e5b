"""What others have published on benchmarks, and a model's row beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rich.markup import escape
from rich.table import Table

PublishedName = Literal["swcnn", "pslnet"]
Figures = tuple[dict[float, float], float | None]

# PSNR in dB by opacity, and SSIM at 0.3 where it was given. The two are of other photographs and marks of another size:
# figures of one do not compare with those of the other.
PUBLISHED: dict[PublishedName, dict[str, Figures]] = {
    # As quoted in the paper of SWCNN
    "swcnn": {
        "identity": ({0.3: 28.93, 0.5: 24.46, 0.7: 21.54, 1.0: 18.49}, None),
        "FFDNet": ({0.3: 27.88, 0.5: 26.70, 0.7: 26.16, 1.0: 20.41}, 0.8778),
        "DIP": ({0.3: 29.75}, 0.9260),
        "DnCNN": ({0.3: 30.11, 0.5: 29.08, 0.7: 27.86, 1.0: 22.48}, 0.9620),
        "WGAN-GP": ({0.3: 31.08}, 0.9662),
        "DRD-Net": ({0.3: 28.91, 0.5: 29.52, 0.7: 31.08, 1.0: 23.65}, 0.9707),
        "FastDerainNet": ({0.3: 32.26, 0.5: 29.06, 0.7: 25.58, 1.0: 20.43}, 0.9815),
        "EAFNWDD": ({0.3: 33.47, 0.5: 32.62, 0.7: 27.04, 1.0: 25.91}, 0.9700),
        "SWCNN, one model each": ({0.3: 36.90, 0.5: 33.65, 0.7: 30.89, 1.0: 28.14}, 0.9893),
    },
    # Of the papers of PSLNet and SSH-Net
    "pslnet": {
        "identity": ({0.3: 32.21, 0.5: 27.74, 0.7: 24.82, 1.0: 21.70}, None),
        "PSLNet, one model for all": ({0.3: 38.66, 0.5: 38.48, 0.7: 37.40, 1.0: 34.50}, 0.9909),
        "PSLNet, for 0.3 alone": ({0.3: 42.16}, 0.9932),
        "SSH-Net, for 0.3 alone": ({0.3: 49.38}, 0.9986),
    },
}
TITLES: dict[PublishedName, str] = {"swcnn": "SWCNN benchmark", "pslnet": "PSLNet's benchmark"}


def benchmark_table(scores: Mapping[float, Mapping[str, float]], label: str, published: PublishedName) -> Table:
    """Returns the published table with the measured rows below it.

    Args:
        scores: For each opacity the means of the ``swcnn`` metric columns.
        label: What the model is called.
        published: Whose benchmark it is.
    """
    table = Table(title=f"{TITLES[published]}: PSNR in dB and (SSIM), by opacity", min_width=70)
    table.add_column("", overflow="fold")
    for opacity in scores:
        table.add_column(f"{opacity:g}", justify="right", no_wrap=True)
    for name, (psnr, ssim) in PUBLISHED[published].items():
        table.add_row(name, *(_cell(psnr.get(opacity), ssim if opacity == 0.3 else None) for opacity in scores))
    table.add_section()
    rows = (
        ("identity, measured", "psnr_input", "ssim_input_uniform"),
        (escape(label), "psnr", "ssim_uniform"),
        ("  inside the mask", "psnr_in", None),
        ("  outside the mask", "psnr_out", None),
    )
    for name, psnr_column, ssim_column in rows:
        values = scores.values()
        table.add_row(
            name, *(_cell(means[psnr_column], None if ssim_column is None else means[ssim_column]) for means in values)
        )
    return table


def _cell(psnr: float | None, ssim: float | None) -> str:
    if psnr is None:
        return ""
    return f"{psnr:.2f}" if ssim is None else f"{psnr:.2f} ({ssim:.4f})"

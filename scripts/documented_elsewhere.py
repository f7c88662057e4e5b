"""Where the keys are documented that packages of others take: their pages, by what ``_target_`` names."""

from __future__ import annotations

HYDRA = "https://hydra.cc/docs/configure_hydra/intro/"
# By how a target begins: the address, in which {} is the target; the first that fits counts
PAGES = {
    "lightning.Trainer": "https://lightning.ai/docs/pytorch/stable/common/trainer.html",
    "lightning.": "https://lightning.ai/docs/pytorch/stable/api/{}.html",
    "torch.": "https://docs.pytorch.org/docs/stable/generated/{}.html",
    "optuna.samplers.": "https://optuna.readthedocs.io/en/stable/reference/samplers/generated/{}.html",
    "optuna.pruners.": "https://optuna.readthedocs.io/en/stable/reference/generated/{}.html",
    "albumentations.": "https://albumentations.ai/docs/",
}


def elsewhere(target: str) -> str:
    """Returns a link to the page of a class of others; nothing for this project's own.

    Args:
        target: Its dotted name; may be empty.
    """
    for beginning, address in PAGES.items():
        if target.startswith(beginning):
            return f"See [{target.rpartition('.')[2]}]({address.format(target)})."
    return ""

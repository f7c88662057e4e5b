"""A contact sheet of what a preset makes: ``python -m wm_lightning.data.synthesis.preview out=FILE synthesis=NAME``."""

from wm_lightning.cli import preview

if __name__ == "__main__":
    preview()

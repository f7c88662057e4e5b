"""Shows what a synthesis preset makes: ``python preview.py out=sheet.png synthesis=diverse``; see conf/preview.yaml."""

from wm_lightning.entry import preview

if __name__ == "__main__":
    preview()

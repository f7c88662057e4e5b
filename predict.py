"""Removes watermarks from pictures: ``python predict.py photo.jpg -o cleaned/``; see ``--help``."""

from wm_lightning.inference.command import main

if __name__ == "__main__":
    main()

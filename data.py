"""Looks at photographs once, before they are trained on: ``python data.py index FOLDER``; see ``--help``."""

from wm_lightning.data.command import main

if __name__ == "__main__":
    main()

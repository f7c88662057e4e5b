"""Finds the mark that pictures share: ``python mark.py estimate FOLDER -o my.mark``; see ``--help``."""

from wm_lightning.mark.command import main

if __name__ == "__main__":
    main()

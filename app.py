"""Opens the web page: ``python app.py --open``; see ``--help``."""

from wm_lightning.app.command import main

if __name__ == "__main__":
    main()

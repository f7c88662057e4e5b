"""Passes networks on through the Hugging Face Hub: ``python hub.py push WEIGHTS OWNER/NAME``; see ``--help``."""

from wm_lightning.hub.command import main

if __name__ == "__main__":
    main()

"""Writes a network for ONNX Runtime or torch.export: ``python export.py general -o general.onnx``; see ``--help``."""

from wm_lightning.inference.export_command import main

if __name__ == "__main__":
    main()

"""Picture files, byte by byte: decoded as a viewer shows them, their colours brought to sRGB, their metadata carried.

Free of PyTorch; used where pictures are cleaned and where photographs are trained on.
"""

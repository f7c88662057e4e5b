"""What commands offer to choose from: free of NumPy and all else that is slow to import, so that ``--help`` is not."""

DEFAULT = "general"  # of the weights that come with this project
ENGINES = ("auto", "torch", "onnx")  # that run a network
PRECISIONS = ("float32", "float16", "int8")  # of exported networks; the first is the network's own

"""One mark on many pictures: what it is, how it is found, where it is on a picture. Applied in `inference/known.py`."""

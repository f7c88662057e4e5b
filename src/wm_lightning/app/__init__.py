"""The web page: drop a picture, look at it before and after, download it."""

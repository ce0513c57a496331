"""Measurements against plain ipykernel, made in the same run: a ratio means something, a second does not."""

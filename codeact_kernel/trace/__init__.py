"""WHAT HAPPENED: values, events, and the notebook as their file format. No I/O, no async."""

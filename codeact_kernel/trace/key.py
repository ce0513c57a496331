"""Where the trace lies in a notebook.

Rule: nothing else is in this file. Who cleans displays asks for it on the way of a start, which has no
time for the rest of the trace.
"""

KEY = "codeact"
"""The one key of ours in the metadata of a cell, of an output and of a notebook."""

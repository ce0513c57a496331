"""Cells this kernel carries out itself: what `%%agent`, `%agent` and `%pip` say, and their turn."""

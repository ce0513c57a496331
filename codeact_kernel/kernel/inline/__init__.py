"""A run in the output of its agent cell, for front ends that do not know this kernel."""

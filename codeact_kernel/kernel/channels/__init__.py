"""The five channels of a Jupyter kernel: messages read, signed and published, and nothing about cells."""

"""THE PROVIDER: litellm adapter (the only importer of litellm, lazily), replay model."""

"""Going back to an earlier state of the notebook: checkpoints, their tree, what they do not restore."""

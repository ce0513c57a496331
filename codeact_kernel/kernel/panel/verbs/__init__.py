"""What a front end can ask, a file for each section of the panel (docs/panel.md)."""

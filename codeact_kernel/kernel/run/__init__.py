"""One run of the agent in a notebook: its steps, its cells, who approves, what is kept of it."""

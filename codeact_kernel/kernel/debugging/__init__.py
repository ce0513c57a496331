"""The debugger of JupyterLab, spoken to the process inside over the wire."""

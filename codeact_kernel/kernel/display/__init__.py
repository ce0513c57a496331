"""The display firewall: what may be shown of what comes from the sandbox (docs/display.md)."""

"""The panel protocol (docs/panel.md): comms of front ends that know this kernel, and what they ask."""

"""WHAT CODE MAY CALL: host tools, MCP servers, sub-agents: definitions, schemas, dispatch.

Rule: a tool is defined and started outside; code inside sends a name and JSON arguments, nothing
else. Nothing of this is here yet but `final_answer`, which the kernel room answers itself.
"""

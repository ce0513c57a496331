"""WHAT TO DO NEXT: loop, ports, prompt, parse, checks, context, limits. Meets nothing outside."""

"""Shared by all rooms: nothing yet but what pytest needs to know. Fixtures live in each room's own conftest.py."""

"""The models of events, levels, ownership and settings: one family a module."""

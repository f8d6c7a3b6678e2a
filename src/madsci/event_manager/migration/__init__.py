"""Bringing databases of other versions up to date, and copying events from one store to another."""

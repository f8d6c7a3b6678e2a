"""Copies of a database as files: made while it is served, verified, rotated, restored whole."""

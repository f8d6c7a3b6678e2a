"""Rows and indexes that are not what was written: finding, naming, passing over, healing."""

"""Reading what is left of a damaged event file, page by page and without SQLite's own reader."""

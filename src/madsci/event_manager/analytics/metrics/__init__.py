"""The figures of a lab by the names and formulas of its field: pure functions over timelines."""

"""The way out for many events at once: JSON lines, CSV, Parquet, in constant memory."""

"""What a question becomes: SQL, and the way into the table."""

"""What is kept and what is asked: the stored event, the query language, pages of results."""

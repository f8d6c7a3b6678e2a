"""What happens after the commit: who follows the feed, and how far each has come."""

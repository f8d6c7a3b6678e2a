"""The Event Manager: keeps the events of a laboratory and answers questions about them."""

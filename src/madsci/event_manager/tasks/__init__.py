"""What the server does by itself from time to time, once among all servers of a store."""

"""What stands before the application: connections, heads and bodies as they come from the network."""

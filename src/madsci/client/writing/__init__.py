"""What a log call meets: from its arguments to the bytes of an event, and from there to the outputs."""

"""The way in: request body → events → one writer → durable."""

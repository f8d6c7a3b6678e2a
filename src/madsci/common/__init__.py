"""The words that server, client and tools share: standard library and pydantic only."""

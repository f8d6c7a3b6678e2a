"""How long events are kept: archived out of sight, deleted for good, held for ever."""

"""Where events are kept: one contract, one engine a folder."""

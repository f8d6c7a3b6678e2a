"""The event file as such: who has it open, where it is, what was committed, its log and its room."""

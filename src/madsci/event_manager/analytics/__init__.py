"""What the events of a lab say of its time: pure functions over events and intervals."""

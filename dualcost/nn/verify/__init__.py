"""What independent counters say of the real model."""

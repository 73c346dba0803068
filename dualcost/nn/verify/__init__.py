"""What independent counters say."""

"""Models run in a process of their own: raced, calibrated, validated, explained."""

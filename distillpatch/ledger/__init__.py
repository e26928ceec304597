"""What was applied to a checkout, and how it is changed and restored."""

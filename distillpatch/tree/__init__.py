"""Reading: which checkout to work on, and what is in it. Nothing here writes."""

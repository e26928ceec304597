"""Reading: which checkout to work on, and what lies in it. Nothing here writes."""

"""All that people and programs read: each sentence, table, diff, picture and JSON document. Nothing is decided here."""

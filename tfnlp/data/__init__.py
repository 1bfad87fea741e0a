"""From files, lists and tables to records, and from rows to batches."""

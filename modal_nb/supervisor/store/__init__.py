"""What outlives the supervisor: one SQLite file per home, read and written by one thread."""

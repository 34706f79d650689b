"""What the three processes say to each other: Jupyter messages, signed. Bodies stay closed, nothing is unpickled."""

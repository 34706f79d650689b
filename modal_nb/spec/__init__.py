"""What the user declares: frozen records that check themselves.

Standard library only; no clock, no files, no environment.
"""

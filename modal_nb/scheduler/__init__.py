"""What is decided, and nothing else: events in, effects out. No clock, no I/O, no random; time is given.

Every rule is a function over the records kept in ``ledger``; only ``Scheduler.feed`` is called from outside.
"""

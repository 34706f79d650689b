"""The kernel's own processes: launcher and guard know nothing of Jupyter, the kernel nothing of the
supervisor's mind.
"""

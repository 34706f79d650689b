"""How a container comes to be: Jupyter's KernelProvisioner, one file per back end. User code is never opened
here.
"""

"""What runs user code, the same in a notebook and in a container: no Jupyter, no network."""

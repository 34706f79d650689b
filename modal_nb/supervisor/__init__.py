"""The control plane's shell: turns messages into events and effects into messages. It decides nothing (scheduler does)
and never opens user bytes.
"""

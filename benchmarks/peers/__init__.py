"""The systems under test, one file each; a file is loaded only in the process that measures its peer."""

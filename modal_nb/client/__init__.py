"""The notebook: what the user touches. It asks the supervisor and never decides."""

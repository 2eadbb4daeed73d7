"""A small shop behind an HTTP interface."""

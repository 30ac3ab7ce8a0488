"""Numeric libraries through ctypes: how each is found, refused and called."""

"""The parts of tests/test_any_history.py: what a user does to repositories, and what a home answers of them."""

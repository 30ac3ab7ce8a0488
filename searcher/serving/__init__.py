"""A pool of searchers, over HTTP."""

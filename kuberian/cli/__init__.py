"""The command line: a thin skin over the documented calls, and the one roof over the indexer and the searcher."""

"""From a text to chunks: an outline of its definitions, by a grammar or by lines, and the cuts along it."""

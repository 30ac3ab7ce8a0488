"""All that is known of each language: a table with one row per language, and `detect`, which names a file's language.

A row says how files of the language are recognised, which wheel holds its grammar (or which lines define something),
and which syntax nodes define what. To add a language is to add a row and a test: docs/languages.md has the steps.
"""

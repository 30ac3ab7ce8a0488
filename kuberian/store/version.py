"""The version of a home's tables: `PRAGMA user_version` of a home that every migration has been applied to.

A home with a larger number was made by a newer Kuberian and is refused. It stands apart from the migrations so that a
reader need not import what makes the tables.
"""

SCHEMA_VERSION = 10

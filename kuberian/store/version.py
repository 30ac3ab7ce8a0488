"""The version of a home's tables: `PRAGMA user_version` of a home that every migration has been applied to.

A home with a larger number was made by a newer Kuberian and is refused. The number is not in the module of the
migrations, so that a reader need not import sqlite-utils.
"""

SCHEMA_VERSION = 10

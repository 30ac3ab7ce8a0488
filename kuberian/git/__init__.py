"""The one door to git: which repository is meant is said explicitly, and what git refuses is never passed over."""

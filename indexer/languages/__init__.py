"""What is known of each language: a row of one table."""

"""How the bundled checkpoint is made: mining pairs, training on one GPU, export. Nothing here is shipped."""

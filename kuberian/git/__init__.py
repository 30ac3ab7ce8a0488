"""The one door to git. Each call names its repository explicitly, and no refusal of git is ignored."""

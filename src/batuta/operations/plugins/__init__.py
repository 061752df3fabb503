"""What is known of task types: schemas for editors, documentation, lists (03 §16)."""

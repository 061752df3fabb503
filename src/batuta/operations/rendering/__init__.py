"""Templates that the server renders for people: inputs before an execution is made, expressions to try."""

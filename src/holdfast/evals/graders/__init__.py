"""A shelf of graders behind one Protocol: each looks at a case and an answer to it, and gives a grade."""

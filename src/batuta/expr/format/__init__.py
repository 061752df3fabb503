"""How values become text: Java text, JSON, YAML, Ion, dates and numbers by pattern."""

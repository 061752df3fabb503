"""Conditions of triggers (04 §15).

A condition is tested with `variables` and `render`. `variables` are facts: `flow` with `namespace` and `id` of the flow
that listens, and `execution`, where there is one, in the shape of the API (03 §6.4). `render(template)` gives text, or
None; `render(template, extra)` with more variables. What cannot be judged raises: `ConditionError`, or the error of the
expression language.
"""

"""Batuta: a workflow orchestrator that runs Kestra flows."""

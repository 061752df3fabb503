"""Triggers of `io.kestra.plugin.core.trigger`."""

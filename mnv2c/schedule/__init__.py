"""Schedules: how a chain runs, as data; the analytic default; tuned records."""

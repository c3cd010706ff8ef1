"""Tuning: schedules searched by measuring them on a device, kept as records that later compiles use."""

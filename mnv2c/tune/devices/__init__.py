"""Where candidates are measured: one module per kind of device, chosen by the scheme of its URL."""

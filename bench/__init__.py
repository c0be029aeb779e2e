"""Measurements: run with `make fidelity`, `make bench` and `make memory`. Figures are for the machine they ran on."""

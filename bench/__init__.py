"""Measurements: run with `make fidelity` and `make bench`. Figures are for the machine they ran on."""

"""The public test kit: clocks, schedules, probes, conformance kits."""

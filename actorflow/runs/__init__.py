"""Running a plan: states, journal, coordinator, stages, workers."""

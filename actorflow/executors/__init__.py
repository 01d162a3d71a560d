"""Where a step executes, one file each."""

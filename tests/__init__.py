import assignment.ddpm  # noqa: F401  before torch: its threads are to sleep while they wait

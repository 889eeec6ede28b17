import assignment.ddpm  # noqa: F401  before torch, so that waiting threads sleep instead of spinning

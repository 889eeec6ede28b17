"""How good is a trained network? Classifiers, FID and its kin on samples, paired losses."""

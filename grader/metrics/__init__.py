"""How good is a trained network? Classifiers, FID and related metrics of samples, paired losses."""

"""The proof: submissions whose verdict is known. right/ must pass everything, each of wrong/ fail the check that it names."""

"""The proof: submissions whose verdict is known. right/ passes everything, wrong/ fails what it names."""

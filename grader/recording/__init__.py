"""Making the reference's results, which a student is compared with: training in sittings, and measuring."""

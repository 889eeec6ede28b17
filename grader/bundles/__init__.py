"""What leaves the house: the students' copy, and what platforms take along."""

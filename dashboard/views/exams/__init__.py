"""The page on which runs sit exams that nobody trained for."""

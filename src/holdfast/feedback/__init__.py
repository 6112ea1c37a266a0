"""What people say of answers, and what their behaviour says: feedback, its triage, and the improvements that follow."""

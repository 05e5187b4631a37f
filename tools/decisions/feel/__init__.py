"""S-FEEL, the small expression language of decision tables (DMN 1.5, chapter 9): read, checked, evaluated."""

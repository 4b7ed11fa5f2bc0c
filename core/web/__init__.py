"""What every HTML page stands on: theme, forms, responses, figures. Knows no brand's data."""
